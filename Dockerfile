# syntax=docker/dockerfile:1
# One image with both programs: docker-compose.yml says which one a container runs.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bins -p carillon-scheduler -p carillon-worker \
    && install -D -t /out target/release/carillon-scheduler target/release/carillon-worker

FROM debian:bookworm-slim
# tini reaps what handlers leave behind; curl is for the health check; certificates are for handlers that call URLs.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin carillon
COPY --from=build /out/ /usr/local/bin/
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/carillon/
USER carillon
EXPOSE 8080 9090 9091
ENTRYPOINT ["tini", "--"]
CMD ["carillon-scheduler", "serve"]
