# Three stages: the browser files, the Python packages, and a small image that runs as an ordinary user.

FROM node:22-bookworm-slim AS assets
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY LICENSE package.json package-lock.json requirements-node.lock ./
COPY crmcem/run crmcem/run
RUN python3 -m crmcem.run assets

FROM python:3.11-slim-bookworm AS packages
WORKDIR /src
COPY requirements.lock .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATIC_ROOT=/srv/static \
    MEDIA_ROOT=/srv/media
RUN groupadd --system --gid 10001 crmcem \
    && useradd --system --uid 10001 --gid crmcem --home-dir /srv --shell /usr/sbin/nologin crmcem \
    && install -d -o crmcem -g crmcem /srv/static /srv/media
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
COPY --from=assets /src/static/vendor static/vendor
USER crmcem
# The address and the key are only for collecting files; nothing connects while the image is built.
RUN SECRET_KEY=only-for-collecting-static-files-at-build-time DATABASE_URL=postgres://build/build REDIS_URL=redis://build/0 \
    python manage.py collectstatic --noinput --verbosity 0
EXPOSE 8000
CMD ["gunicorn", "crmcem.wsgi", "--bind=0.0.0.0:8000", "--workers=2", "--threads=4", "--timeout=60", "--limit-request-line=8190", "--graceful-timeout=20"]
