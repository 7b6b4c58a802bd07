.DEFAULT_GOAL := help
.PHONY: help run build test bench fuzz lint package clean

# Without symbols, paths, build ID and revision: the same source gives the same
# bytes, wherever it is built. lambda.norpc leaves out a door that Lambda's
# current runtime does not use.
GOFLAGS_AWS := -trimpath -buildvcs=false -tags lambda.norpc -ldflags "-s -w -buildid="
GOFLAGS_GCP := -trimpath -buildvcs=false -ldflags "-s -w -buildid="
GOFLAGS_AZURE := $(GOFLAGS_GCP)
# What the Functions host finds beside the handler.
HOST_AZURE := host.json OnChange/function.json Sweep/function.json
FUZZTIME ?= 20s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
AZURITE := dist/tools/azurite

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## play the main job on this machine: armed, access removed, given back, told
	dist/byokwatch local

build: ## build the CLI and the functions for this machine into dist/
	CGO_ENABLED=0 go build -trimpath -o dist/byokwatch ./cmd/byokwatch
	CGO_ENABLED=0 go build $(GOFLAGS_AWS) -o dist/aws/bootstrap ./functions/aws
	CGO_ENABLED=0 go build $(GOFLAGS_GCP) -o dist/gcp/byokwatch-gcp ./functions/gcp
	CGO_ENABLED=0 go build $(GOFLAGS_AZURE) -o dist/azure/handler ./functions/azure
	@for file in $(HOST_AZURE); do mkdir -p dist/azure/$$(dirname $$file) && cp functions/azure/$$file dist/azure/$$file || exit 1; done

test: $(AZURITE)/installed ## vet, formatting, house rules and every test
	go vet ./...
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go test ./...

# Microsoft's emulator of Blob Storage, which the store's tests run against. The
# lock file says what is installed, to the byte.
$(AZURITE)/installed: functions/azure/blobstore/testdata/azurite/package.json functions/azure/blobstore/testdata/azurite/package-lock.json
	@mkdir -p $(AZURITE) && rm -f $@ && cp $^ $(AZURITE)/
	@{ npm ci --prefix $(AZURITE) --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; } || \
		echo "SKIPPED: npm could not install Azurite: what needs it is not tested"

bench: ## how fast it judges, plans and starts
	go test -run '^$$' -bench . -benchmem ./...
	@go test -count=1 -run '^TestOneRound' -v ./functions/... | grep 'rounds before'

fuzz: ## fuzz each parser and judge for FUZZTIME
	@grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname "$$file"); echo "$$dir $$name"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" < /dev/null || exit 1; \
	done

lint: ## staticcheck and, where its database can be reached, govulncheck
	go run $(STATICCHECK) ./...
	@GOBIN=$(CURDIR)/dist/tools go install $(GOVULNCHECK) && dist/tools/govulncheck ./... || { code=$$?; test $$code -ne 3 || exit 1; \
		echo "SKIPPED: govulncheck could not look (exit $$code): known vulnerabilities were not checked"; }

package: ## the uploads for AWS Lambda, Cloud Run and Azure Functions, reproducible; CONFIG=byokwatch.yaml packs that file too
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build $(GOFLAGS_AWS) -o dist/package/aws/bootstrap ./functions/aws
	go run ./deploy/zip dist/byokwatch-aws-arm64.zip dist/package/aws/bootstrap $(if $(CONFIG),$(CONFIG)=byokwatch.yaml)
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build $(GOFLAGS_GCP) -o dist/package/gcp/byokwatch-gcp ./functions/gcp
	go run ./deploy/zip dist/byokwatch-gcp-amd64.zip dist/package/gcp/byokwatch-gcp $(if $(CONFIG),$(CONFIG)=byokwatch.yaml)
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build $(GOFLAGS_AZURE) -o dist/package/azure/handler ./functions/azure
	go run ./deploy/zip dist/byokwatch-azure-amd64.zip dist/package/azure/handler $(foreach file,$(HOST_AZURE),functions/azure/$(file)=$(file)) $(if $(CONFIG),$(CONFIG)=byokwatch.yaml)

clean: ## remove what was built
	rm -rf dist
