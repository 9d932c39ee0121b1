# One command each. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test lint fmt texts bench assets clean environment environment-dev

RUN := .venv/bin/python -m crmcem.run --stop-with-parent
ARGS ?=

help: ## list the commands
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

run: environment assets ## run everything on this machine: PORT=8000, or with DATABASE_URL and REDIS_URL set
	@$(RUN) serve

test: environment-dev assets ## run the test suite: make test ARGS="tests/contacts -k merge"
	@$(RUN) exec --profile test -- pytest $(ARGS)

lint: environment-dev ## check style, types, layers, migrations, templates and the repository's own rules
	@$(RUN) exec --profile test -- python -m crmcem.run.lint

fmt: environment-dev ## format the code
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format .

texts: environment-dev ## gather the texts and compile the translations (needs the GNU gettext tools)
	@$(RUN) exec --profile test -- python manage.py makemessages -l de --no-obsolete --no-wrap --add-location file \
		-i tests -i bench -i var -i node_modules -i static -i staticfiles
	@msgattrib --untranslated --no-wrap crmcem/locale/de/LC_MESSAGES/django.po
	@msgattrib --only-fuzzy --no-wrap crmcem/locale/de/LC_MESSAGES/django.po
	@msgfmt --check-format --check-domain -o crmcem/locale/de/LC_MESSAGES/django.mo crmcem/locale/de/LC_MESSAGES/django.po

bench: environment-dev ## measure the speed on large data: make bench ARGS="--help"
	@$(RUN) exec --profile bench -- python -m bench $(ARGS)

assets: environment ## fetch the browser files into static/vendor
	@.venv/bin/python -m crmcem.run assets

clean: ## remove caches and the test data; the virtual environment and var/pg stay
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles var/test var/static
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

environment:
	@sh crmcem/run/venv.sh requirements.lock .requirements

environment-dev: environment
	@sh crmcem/run/venv.sh requirements-dev.lock .requirements-dev
