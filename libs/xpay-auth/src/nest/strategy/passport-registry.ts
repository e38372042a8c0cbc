import passport from 'passport';
import { configurationError } from '../../core/errors.js';
import { ByApp } from '../request/by-app.js';
import type { XPayStrategy } from './xpay.strategy.js';

/**
 * The strategies of this process, by name, the newest last. Several apps may have a strategy of one name. They are weak references,
 * because an app whose boot fails is never closed.
 */
const strategies = new Map<string, Set<WeakRef<XPayStrategy>>>();
/** The strategies of each app, by name. */
const strategiesOfApps = new ByApp<Map<string, XPayStrategy>>();

/**
 * Registers a strategy under its name. Passport has one registry for the process, so a new strategy replaces the strategy that
 * another app has registered under the same name. {@link strategyFor} finds the replaced strategy.
 */
export function register(strategy: XPayStrategy): void {
  const { name } = strategy;
  const refs = strategies.get(name) ?? new Set();
  for (const ref of refs) if (ref.deref() === undefined) refs.delete(ref);
  strategies.set(name, refs.add(new WeakRef(strategy)));
  use(strategy);
}

/** Removes a strategy. If Passport would call this strategy, Passport then calls the strategy of another app with this name. */
export function unregister(strategy: XPayStrategy): void {
  const { name } = strategy;
  for (const ref of strategies.get(name) ?? []) if (ref.deref() === strategy) strategies.get(name)?.delete(ref);
  // The app may have registered a strategy of its own under the name.
  if ((passport as { _strategy?(name: string): unknown })._strategy?.(name) !== strategy) return;
  const newest = registered(name).at(-1);
  if (newest === undefined) passport.unuse(name);
  else use(newest);
}

/** @param platformApp Express's `app` or Fastify's root instance */
export function registerStrategyOfApp(platformApp: unknown, strategy: XPayStrategy): void {
  const named = strategiesOfApps.of({ app: platformApp }) ?? new Map<string, XPayStrategy>();
  strategiesOfApps.set(platformApp, named.set(strategy.name, strategy));
}

/**
 * Returns the strategy of the app that received this request. Throws `configuration` if this app has no strategy of the name, or
 * if the app is not known and several apps have a strategy of the name: a middleware of Fastify receives a request without an app.
 *
 * @param called the strategy that Passport called, which may belong to another app
 */
export function strategyFor(request: unknown, called: XPayStrategy): XPayStrategy {
  const { name } = called;
  const ofApp = strategiesOfApps.of(request);
  const found = ofApp === undefined && registered(name).length === 1 ? called : ofApp?.get(name);
  if (found !== undefined) return found;
  const reason =
    ofApp === undefined
      ? 'belongs to several apps of this process, and the app of this request is not known'
      : 'belongs to another app of this process';
  throw configurationError(`Passport's strategy "${name}" ${reason}. Use the decorators or XPayAuthGuard instead.`);
}

function registered(name: string): XPayStrategy[] {
  return [...(strategies.get(name) ?? [])].flatMap((ref) => ref.deref() ?? []);
}

function use(strategy: XPayStrategy): void {
  passport.use(strategy.name, strategy as unknown as Parameters<typeof passport.use>[1]);
}
