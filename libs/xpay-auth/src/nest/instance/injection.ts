import { type Abstract, Inject, type InjectionToken, type Type } from '@nestjs/common';

/**
 * A class of this library that an app injects.
 * @inline
 */
type Injectable = Type | Abstract<unknown>;

/** The injection token of the `XPayInstance` within the module of each instance. The module does not export it. */
export const XPAY_INSTANCE = Symbol('instance of XPayAuthModule');

const tokens = new WeakMap<Injectable, Map<string, symbol>>();

/** The injection token of a class of this library: the class itself for the unnamed instance, a symbol for a named one. */
export function getXPayInjectionToken(type: Injectable, name?: string): InjectionToken {
  if (name === undefined) return type;
  let ofType = tokens.get(type);
  if (ofType === undefined) tokens.set(type, (ofType = new Map()));
  let token = ofType.get(name);
  if (token === undefined)
    ofType.set(name, (token = Symbol(`${type.name} of XPayAuthModule.forRoot({ name: '${name}' })`)));
  return token;
}

/**
 * Injects a service of a named instance:
 *
 * ```ts
 * constructor(@InjectXPay(XPayTokenService, 'gift') private readonly giftTokens: XPayTokenService) {}
 * ```
 */
export function InjectXPay(type: Injectable, name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getXPayInjectionToken(type, name));
}
