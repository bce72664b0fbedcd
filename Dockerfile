# One image for both demos and for the command line of nestjs-rocketmq. `docker compose up` builds it.
# `npm run check dockerfile` replays it without Docker, so only a few kinds of instructions are used.

FROM node:22.20.0-bookworm-slim AS build
WORKDIR /app
# What is installed changes less often than the code: this layer is kept.
COPY package.json package-lock.json ./
COPY libs/rocketmq/package.json libs/rocketmq/
COPY libs/console/package.json libs/console/
COPY libs/demo-kit/package.json libs/demo-kit/
COPY apps/order-demo/package.json apps/order-demo/
COPY apps/inventory-demo/package.json apps/inventory-demo/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY nest-cli.json tsconfig.base.json tsconfig.json ./
COPY scripts scripts
COPY tools/typescript tools/typescript
COPY libs libs
COPY apps apps
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22.20.0-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/libs libs
COPY --from=build /app/apps apps
COPY docker/create-topics.sh docker/
ENV NODE_ENV=production
# Inside of a container everyone is outside of it.
ENV HOST=0.0.0.0
# All of it belongs to root: the process can change nothing of it.
USER node
EXPOSE 3000
CMD ["node", "apps/order-demo/dist/main.js"]
