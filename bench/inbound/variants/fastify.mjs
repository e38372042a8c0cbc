// Fastify's plugin on its hook, as in its documentation.
import { basic, caller } from '../callers.mjs';

export const fastifyBasicAuth = () => ({
  async setUp(app) {
    const { default: basicAuth } = await import('@fastify/basic-auth');
    await app.register(basicAuth, { validate, authenticate: true });
    const fastify = app.getHttpAdapter().getInstance();
    fastify.after(() => fastify.addHook('onRequest', fastify.basicAuth));
  },
  authorization: () => basic,
});

function validate(username, secretKey, _request, _reply, done) {
  done(username === caller.username && secretKey === caller.secretKey ? undefined : new Error('no'));
}
