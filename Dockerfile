# syntax=docker/dockerfile:1
# Two stages on one base: the first has a C compiler and makes /opt/seawall, the second runs it. The steps can
# be checked without Docker: scripts/image_steps.py runs the first stage's COPY and RUN lines as plain
# commands, and a test does so.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY scripts/build_native.py scripts/build_native.py
COPY proto proto
COPY proxy proxy
COPY control control
COPY clients/python clients/python
RUN python -m venv /opt/seawall
RUN SEAWALL_REQUIRE_COMPILED=1 /opt/seawall/bin/python -m pip wheel --no-deps --wheel-dir dist .
RUN /opt/seawall/bin/python -m pip install dist/seawall-*.whl
RUN /opt/seawall/bin/seawall version

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Seawall" \
      org.opencontainers.image.description="A gRPC resilience proxy with a control plane" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/seawall/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/seawall /opt/seawall
# The embedded store, the last good policy and the event spool. Owned by number, so that a runtime that
# forbids root can tell.
RUN mkdir /data && chown 10001:10001 /data
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 8080 8081 9090 9091
STOPSIGNAL SIGTERM
# Of a container that runs a proxy, a control plane, or both (up).
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["seawall", "check", "--quick", "--present"]
ENTRYPOINT ["seawall"]
