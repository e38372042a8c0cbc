# The reference app (src/) as a small service that answers a proxy's /verify. See docs/forward-auth.md.
#
#   docker build -t xpay-auth .
#   docker run --rm --init -p 127.0.0.1:3000:3000 -e XPAY_USERNAME=… -e XPAY_SECRET_KEY=… -e TRUST_PROXY=172.16.0.0/12 xpay-auth
#
# Without an account or a base URL it prints the missing variable and exits: there is no demo in production.
# No image has been built from this file yet, because no Docker engine was available. Its commands were run by hand, one
# after the other, in an empty folder.

# Pinned by digest, because a tag can be moved to another image.
ARG NODE=node:24.19.0-bookworm-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df

# Both stages copy the manifests before the code, so that a change of the code does not install the dependencies again.
# --ignore-scripts: the prepare script of the workspace would build code that is not copied yet, and no dependency needs a
# script.
FROM ${NODE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs/xpay-auth/package.json libs/xpay-auth/
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs/xpay-auth/package.json libs/xpay-auth/
RUN npm ci --ignore-scripts
COPY tsconfig.base.json tsconfig.build.json ./
COPY scripts/bundle.mjs scripts/
COPY libs libs
COPY src src
RUN npm run build

FROM ${NODE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
# node_modules/nestjs-xpay-auth is a link to libs/xpay-auth.
COPY --from=dependencies /app .
COPY --from=build /app/libs/xpay-auth/dist libs/xpay-auth/dist
COPY --from=build /app/dist dist
# The files of the page /status, which no build changes.
COPY src/status/page src/status/page
USER node
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Runs Node without a shell or npm, so that SIGTERM reaches the app, which then responds to waiting callers and exits.
CMD ["node", "dist/main.js"]
