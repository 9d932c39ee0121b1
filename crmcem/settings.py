"""Django's settings: composition only, every choice of a deployment comes from the environment."""

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from crmcem.lib import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent

# --- the deployment -----------------------------------------------------------------------------
DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
if not DEBUG and len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("SECRET_KEY must have at least 32 characters outside DEBUG.")
BASE_URL = env.text("BASE_URL", "http://localhost:8000").rstrip("/")
SECURE = BASE_URL.startswith("https://")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
DATABASE_URL_SETTINGS = env.database("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
SENTRY_DSN = env.text("SENTRY_DSN", "")
DEMO = env.flag("DEMO")
SENTIMENT_ENGINE = env.text("SENTIMENT_ENGINE", "vader")

# --- applications -------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "pgtrigger",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "django_celery_beat",
    "django_celery_results",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "crmcem.workspace",
    "contacts",
    "sales",
    "feedback",
    "journeys",
    "analytics",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "crmcem.lib.logs.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "crmcem.lib.web.middleware.ProblemGuard",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "crmcem.lib.web.middleware.Slashes",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "crmcem.workspace.middleware.PersonMiddleware",
    "axes.middleware.AxesMiddleware",
    "crmcem.workspace.idempotency.IdempotencyMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "crmcem.urls"
WSGI_APPLICATION = "crmcem.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "crmcem.workspace.context.shell",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.insert(0, "django.forms")
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- data ---------------------------------------------------------------------------------------
DATABASES = {
    "default": DATABASE_URL_SETTINGS
    | {
        "CONN_MAX_AGE": env.number("CONN_MAX_AGE", 300),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode has none
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "crmcem.lib.cache.TolerantRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "crmcem",
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
}
# Sessions stay in the database: sign-in must go on while the cache is down.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(BASE_DIR / "var" / "media")))
EVENT_DEDUPE_DAYS = env.number("EVENT_DEDUPE_DAYS", 90, low=1)
# The largest file of customers that can be imported.
#: contacts and companies without an activity or a change for so many days are stale
QUALITY_STALE_DAYS = int(env.number("QUALITY_STALE_DAYS", 365, low=1))
IMPORT_MAX_BYTES = env.number("IMPORT_MAX_MB", 200, low=1) * 1_000_000
# The largest file that can be attached to a record.
ATTACHMENT_MAX_BYTES = env.number("ATTACHMENT_MAX_MB", 25, low=1) * 1_000_000
# Slow searches and filters are cut off; the answer says so.
STATEMENT_TIMEOUT_MS = env.number("STATEMENT_TIMEOUT_MS", 5000, low=100)

# --- people -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "workspace.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "crmcem.workspace.backends.PersonBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "crmcem.workspace.adapters.AccountAdapter"
ACCOUNT_FORMS = {"login": "crmcem.workspace.forms.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
MFA_ADAPTER = "crmcem.workspace.adapters.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE
USERSESSIONS_TRACK_ACTIVITY = False
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "crmcem.workspace.signin.account_of"
AXES_CLIENT_IP_CALLABLE = "crmcem.workspace.signin.address_of"
AXES_LOCKOUT_CALLABLE = "crmcem.workspace.signin.locked_out"
AXES_ENABLE_ADMIN = True
# Trust X-Forwarded-For only behind so many proxies of our own.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 0, high=5)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES

# --- transport security -------------------------------------------------------------------------
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "crmcem.lib.web.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "manifest-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "worker-src": [SELF],
    }
}

# --- language and time --------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
LOCALE_PATHS = [BASE_DIR / "crmcem" / "locale"]
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_TZ = True

# --- static files -------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "static"]
if (BASE_DIR / "static" / "vendor" / "alpine").is_dir():
    # In place of the one that the admin's theme ships: that one would need unsafe-eval.
    STATICFILES_DIRS.append(("unfold/js/alpine", BASE_DIR / "static" / "vendor" / "alpine"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- e-mail -------------------------------------------------------------------------------------
# EMAIL_URL: console://, file:///folder, smtp://user:password@host:587?tls=1, smtps://...
EMAIL_URL = env.text("EMAIL_URL", f"file://{BASE_DIR / 'var' / 'mail'}")
EMAIL_CONFIG = env.email(EMAIL_URL)
EMAIL_BACKEND = EMAIL_CONFIG["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL_CONFIG.get("EMAIL_HOST", "")
EMAIL_PORT = EMAIL_CONFIG.get("EMAIL_PORT", 25)
EMAIL_HOST_USER = EMAIL_CONFIG.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = EMAIL_CONFIG.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_CONFIG.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = EMAIL_CONFIG.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = EMAIL_CONFIG.get("EMAIL_FILE_PATH", "")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "crmcem <no-reply@localhost>")

# --- API ----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "crmcem.workspace.authentication.BearerAuthentication",
        "crmcem.workspace.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["crmcem.workspace.api.permissions.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": ["crmcem.lib.api.renderers.OrjsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "crmcem.lib.api.renderers.HouseNegotiation",
    "DEFAULT_PARSER_CLASSES": ["crmcem.lib.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "crmcem.lib.api.paging.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "crmcem.lib.api.schema.HouseSchema",
    "DEFAULT_THROTTLE_CLASSES": ["crmcem.workspace.api.throttling.ActorThrottle"],
    "DEFAULT_THROTTLE_RATES": {"actor": env.text("API_RATE", "6000/min")},
    "EXCEPTION_HANDLER": "crmcem.lib.api.problems.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "crmcem",
    "DESCRIPTION": "CRM and CEM over one customer model.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "AutomationStatusEnum": "journeys.models.Automation.Status",
        "RunStatusEnum": "journeys.models.Run.Status",
        "RunStepStatusEnum": "journeys.models.RunStep.Status",
        "SurveyStatusEnum": "feedback.models.Survey.Status",
        "SurveyKindEnum": "feedback.models.Survey.Kind",
        "InvitationStatusEnum": "feedback.models.Invitation.Status",
        "CaseStatusEnum": "feedback.models.Case.Status",
        "CasePriorityEnum": "feedback.models.Case.Priority",
        "TaskStatusEnum": "contacts.models.Task.Status",
        "TaskPriorityEnum": "contacts.models.Task.Priority",
        "ImportStatusEnum": "contacts.models.ImportJob.Status",
        "ImportSeparatorEnum": "contacts.models.ImportJob.Separator",
        "MergeEntityEnum": "contacts.models.MergeRecord.Entity",
        "DealStatusEnum": "sales.models.Deal.Status",
        "LifecycleEnum": "contacts.models.Lifecycle",
        "PointKindEnum": "contacts.models.ContactPoint.Kind",
        "AddressKindEnum": "contacts.models.Address.Kind",
        "RelationshipKindEnum": "contacts.models.Relationship.Kind",
        "SegmentKindEnum": "contacts.models.Segment.Kind",
        "SegmentSharingEnum": "contacts.models.Segment.Sharing",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- background work ----------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 15 * 60
CELERY_TASK_SOFT_TIME_LIMIT = 14 * 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "socket_keepalive": True,
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
# Only ticks: what is due lives in rows, so a lost message costs a few seconds and nothing else.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "stream": {"task": "contacts.tasks.pump_stream", "schedule": 2.0},
    "outbox": {"task": "contacts.tasks.send_messages", "schedule": 5.0},
    "reminders": {"task": "contacts.tasks.send_reminders", "schedule": 10.0},
    "partitions": {"task": "contacts.tasks.keep_partitions", "schedule": 6 * 3600.0},
    "dedupe-retention": {"task": "contacts.tasks.expire_event_keys", "schedule": 3600.0},
    "attachments": {"task": "contacts.tasks.forget_attachments", "schedule": 3600.0},
    "imports": {"task": "contacts.tasks.resume_imports", "schedule": 15.0},
    "duplicates": {"task": "contacts.tasks.scan_duplicates", "schedule": 60.0},
    "milestones": {"task": "contacts.tasks.tell_milestones", "schedule": 600.0},
    "segments": {"task": "contacts.tasks.keep_segments", "schedule": 5.0},
    "tags": {"task": "contacts.tasks.keep_tags", "schedule": 10.0},
    "tags-anew": {"task": "contacts.tasks.recount_tags", "schedule": 24 * 3600.0},
    "data-faults": {"task": "contacts.tasks.find_faults", "schedule": 60.0},
    "data-quality": {"task": "contacts.tasks.note_quality", "schedule": 6 * 3600.0},
    "field-indexes": {"task": "contacts.tasks.keep_field_indexes", "schedule": 300.0},
    "automation-runs": {"task": "journeys.tasks.advance_runs", "schedule": 2.0},
    "automation-timers": {"task": "journeys.tasks.fire_timers", "schedule": 10.0},
    "invitations": {"task": "feedback.tasks.expire_invitations", "schedule": 3600.0},
    "rollups": {"task": "analytics.tasks.keep_rollups", "schedule": 60.0},
    "exports": {"task": "crmcem.workspace.tasks.resume_exports", "schedule": 15.0},
    "export-files": {"task": "crmcem.workspace.tasks.expire_exports", "schedule": 600.0},
    "edits": {"task": "crmcem.workspace.tasks.resume_edits", "schedule": 15.0},
    "edits-retention": {"task": "crmcem.workspace.tasks.expire_edits", "schedule": 300.0},
    "trash": {"task": "crmcem.workspace.tasks.expire_trash", "schedule": 300.0},
    "notifications": {"task": "crmcem.workspace.tasks.send_notification_emails", "schedule": 5.0},
    "idempotency-retention": {"task": "crmcem.workspace.tasks.expire_idempotency_keys", "schedule": 3600.0},
}

# --- logs and errors ----------------------------------------------------------------------------
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # lib.logs.RequestId has checked it
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it would believe any X-Forwarded-For
LOG_FORMAT = env.text("LOG_FORMAT", "json")
LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOGGING = logs.configure(form=LOG_FORMAT, level=LOG_LEVEL)
PROMETHEUS_EXPORT_MIGRATIONS = False

if SENTRY_DSN:
    import sentry_sdk

    sentry_sdk.init(
        dsn=SENTRY_DSN,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=0.0,
    )

# --- admin --------------------------------------------------------------------------------------
UNFOLD: dict[str, object] = {
    "SITE_TITLE": "crmcem",
    "SITE_HEADER": "crmcem",
    "SITE_URL": "/",
    # The theme would write its colours into a <style>, which the policy forbids: they stand in admin.css.
    "COLORS": lambda request: {},
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icons/icon.svg")}
    ],
    "STYLES": [lambda request: static("css/admin.css")],
    "SCRIPTS": [lambda request: static("js/admin.js")],
}
