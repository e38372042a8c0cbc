# The reference app (src/) as a small service that answers a proxy's /verify. See docs/forward-auth.md.
#
#   docker build -t xpay-auth .
#   docker run --rm --init -p 127.0.0.1:3000:3000 -e XPAY_USERNAME=… -e XPAY_SECRET_KEY=… -e TRUST_PROXY=172.16.0.0/12 xpay-auth
#
# Without an account or a base URL it says what is missing and ends: there is no demo in production.
# No image was ever built from this file where it was written, for want of a Docker engine. Its commands were run there by
# hand, one after the other, in an empty folder.

# In both stages the dependencies come before the code, so that a change of the code does not fetch them again. Their
# scripts are left out: the workspace's own would build what is not there yet, and no dependency needs one.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs/xpay-auth/package.json libs/xpay-auth/
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs/xpay-auth/package.json libs/xpay-auth/
RUN npm ci --ignore-scripts
COPY tsconfig.base.json tsconfig.build.json nest-cli.json ./
COPY libs libs
COPY src src
RUN npm run build

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
# node_modules/nestjs-xpay-auth is a link to libs/xpay-auth.
COPY --from=dependencies /app .
COPY --from=build /app/libs/xpay-auth/dist libs/xpay-auth/dist
COPY --from=build /app/dist dist
USER node
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No shell and no npm in between, so that SIGTERM reaches the app, which then tells those who wait, and ends.
CMD ["node", "dist/main.js"]
