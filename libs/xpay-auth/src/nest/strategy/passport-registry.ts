import passport from 'passport';
import { configurationError } from '../../core/errors.js';
import { ByApp } from '../request/by-app.js';
import type { XPayStrategy } from './xpay.strategy.js';

/** The strategies of this process, by name, the newest last. Several apps may have a strategy of one name. */
const strategies = new Map<string, Set<XPayStrategy>>();
/** The strategies of each app, by name. */
const strategiesOfApps = new ByApp<Map<string, XPayStrategy>>();

/**
 * Registers a strategy under its name. Passport has one registry for the process, so a new strategy replaces the strategy that
 * another app has registered under the same name. {@link strategyFor} finds the replaced strategy.
 */
export function register(strategy: XPayStrategy): void {
  const { name } = strategy;
  let named = strategies.get(name);
  if (named === undefined) strategies.set(name, (named = new Set()));
  named.add(strategy);
  use(strategy);
}

/** Removes a strategy. If Passport would call this strategy, Passport then calls the strategy of another app with this name. */
export function unregister(strategy: XPayStrategy): void {
  const { name } = strategy;
  const named = strategies.get(name);
  named?.delete(strategy);
  // The app may have registered a strategy of its own under the name.
  if ((passport as { _strategy?(name: string): unknown })._strategy?.(name) !== strategy) return;
  const newest = [...(named ?? [])].at(-1);
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
  const found = ofApp === undefined && strategies.get(name)?.size === 1 ? called : ofApp?.get(name);
  if (found !== undefined) return found;
  const reason =
    ofApp === undefined
      ? 'belongs to several apps of this process, and the app of this request is not known'
      : 'belongs to another app of this process';
  throw configurationError(`Passport's strategy "${name}" ${reason}. Use the decorators or XPayAuthGuard instead.`);
}

function use(strategy: XPayStrategy): void {
  passport.use(strategy.name, strategy as unknown as Parameters<typeof passport.use>[1]);
}
