# A NATS server with this project's configuration, as an ordinary user who owns its data folder.
FROM nats:2.12-alpine AS nats
RUN mkdir /data && chown 1000:1000 /data
COPY docker/nats.conf /etc/nats/nats.conf
USER 1000:1000
VOLUME /data
CMD ["nats-server", "-c", "/etc/nats/nats.conf"]

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts and optional packages: the image has a Node, and Postgres is another container.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

# The dashboard is built by native programs, which npm has as optional packages.
FROM node:24-bookworm-slim AS dashboard
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --include=optional --ignore-scripts
COPY vite.config.ts tsconfig.json ./
COPY lib ./lib
COPY public ./public
RUN node node_modules/vite/bin/vite.js build --logLevel=error

FROM node:24-bookworm-slim AS fleetport
ENV NODE_ENV=production FLEET_DATA_DIR=/data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json moleculer.config.ts ./
COPY bin ./bin
COPY corrosion ./corrosion
COPY lib ./lib
COPY mixins ./mixins
COPY --from=dashboard /app/dist ./dist
COPY services ./services
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4000
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 4000}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Not through npm, which would not hand on the signal that begins a drain.
CMD ["node", "--disable-warning=ExperimentalWarning", "bin/fleetport.ts", "node"]
