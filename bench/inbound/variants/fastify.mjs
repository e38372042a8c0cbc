// Fastify's plugin on its hook, as in its documentation.
import { basics, isCaller } from '../callers.mjs';

export const fastifyBasicAuth = () => ({
  async setUp(app) {
    const { default: basicAuth } = await import('@fastify/basic-auth');
    await app.register(basicAuth, { validate, authenticate: true });
    const fastify = app.getHttpAdapter().getInstance();
    fastify.after(() => fastify.addHook('onRequest', fastify.basicAuth));
  },
  authorization: () => basics,
});

function validate(username, secretKey, _request, _reply, done) {
  done(isCaller(username, secretKey) ? undefined : new Error('no'));
}
