# One image for every verb: gateway, worker, scheduler, migrate, sample, operator.
#
#   docker build -t cakegate:dev .
#   docker build -t cakegate:dev --build-arg PYTHON_IMAGE=docker.io/library/python:3.11-slim .
#   docker build -t cakegate:dev --build-arg PIP_INDEX_URL=https://mirror.example/simple .
#
# A mirror that asks for a password is configured by a secret, which leaves no trace in the image:
#   docker build -t cakegate:dev --secret id=pip.conf,src=$HOME/.config/pip/pip.conf .
#
# Stages: dependencies -> build (our wheel) -> image, the default. `dev` is the Tiltfile's.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

# What we depend on, from the lock file: a layer that source changes leave alone.
FROM ${PYTHON_IMAGE} AS dependencies
ARG PIP_INDEX_URL=https://pypi.org/simple
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# pip and what builds our wheel live in an environment of their own, which does not travel.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/python
COPY requirements/image.lock requirements/build.lock requirements/
# Bytecode is made here and never checked against its source: nothing writes there, and a process starts without asking
# for the age of a thousand files.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    /opt/build/bin/pip --python /opt/python/bin/python install --quiet --no-compile --require-hashes \
      --only-binary :all: -r requirements/image.lock \
 && /opt/build/bin/pip install --quiet --no-compile --require-hashes --only-binary :all: -r requirements/build.lock \
 && /opt/python/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/python/lib \
 && echo /opt/cakegate > "$(echo /opt/python/lib/python3*/site-packages)/cakegate.pth"

FROM dependencies AS build
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY operator operator
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist . \
 && /opt/build/bin/pip --python /opt/python/bin/python install --quiet --no-compile --no-deps --no-index \
      --target /opt/cakegate dist/*.whl \
 && /opt/python/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/cakegate

FROM ${PYTHON_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Cakegate" \
      org.opencontainers.image.description="A gateway that judges pictures of cakes in front of a legacy Cake API" \
      org.opencontainers.image.source="https://github.com/cakegate/cakegate" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The base's own installers go: nothing is ever installed into a running container.
RUN python3 -c 'import importlib.util as found, pathlib, shutil; [shutil.rmtree(pathlib.Path(spec.origin).parent) for spec in map(found.find_spec, ("pip", "setuptools", "wheel", "ensurepip")) if spec]' \
 && rm -f /usr/local/bin/pip* /usr/bin/pip* \
 && echo 'cakegate:x:10001:10001::/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'cakegate:x:10001:' >> /etc/group \
 && install -d -o 10001 -g 10001 /var/lib/cakegate
# The root may be read-only: nothing is written but to /tmp, and by the sample legacy API to the folder it is given.
ENV PATH=/opt/cakegate/bin:/opt/python/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
STOPSIGNAL SIGTERM
EXPOSE 8000 9100 9101

# For Tilt: runs the sources from /tmp/src, and starts anew when they change.
FROM base AS dev
COPY --from=dependencies /opt/python /opt/python
COPY --from=build /opt/cakegate /opt/cakegate
COPY manifests/dev/reload.py /opt/dev/reload.py
USER 10001:10001
ENTRYPOINT ["python", "/opt/dev/reload.py"]

FROM base AS image
COPY --from=dependencies /opt/python /opt/python
COPY --from=build /opt/cakegate /opt/cakegate
USER 10001:10001
ENTRYPOINT ["cakegate"]
CMD ["--help"]
