.DEFAULT_GOAL := help
.PHONY: help run build test synth bench fuzz lint package schemas clean \
	deploy-aws deploy-gcp deploy-azure destroy-aws destroy-gcp destroy-azure

# Without symbols, paths, build ID and revision: the same source gives the same
# bytes, wherever it is built. lambda.norpc leaves out a door that Lambda's
# current runtime does not use.
GOFLAGS_AWS := -trimpath -buildvcs=false -tags lambda.norpc -ldflags "-s -w -buildid="
GOFLAGS_GCP := -trimpath -buildvcs=false -ldflags "-s -w -buildid="
GOFLAGS_AZURE := $(GOFLAGS_GCP)
# What an environment could change in a build: https://pkg.go.dev/cmd/go#hdr-Environment_variables
PACKAGING := CGO_ENABLED=0 GOOS=linux GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off GOEXPERIMENT=none GOFLAGS=-mod=readonly \
	GOTOOLCHAIN=go$(shell awk '$$1 == "go" {print $$2}' go.mod)
# What the bills of material call this: the newest heading of the changelog, so
# that a tree without its history says the same.
VERSION := $(shell awk '$$1 == "\043\043" {print $$2; exit}' CHANGELOG.md)
UPLOAD_aws := byokwatch-aws-arm64.zip
UPLOAD_gcp := byokwatch-gcp-amd64.tar.gz
UPLOAD_azure := byokwatch-azure-amd64.zip
BILLS := byokwatch-aws-arm64.cdx.json byokwatch-gcp-amd64.cdx.json byokwatch-azure-amd64.cdx.json
SHA256SUM := $(shell command -v sha256sum || echo shasum -a 256)
# What the Functions host finds beside the handler.
HOST_AZURE := host.json OnChange/function.json Sweep/function.json
FUZZTIME ?= 20s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
AZURITE := dist/tools/azurite
CDKTOOL := dist/tools/cdk
CDK ?= ../../$(CDKTOOL)/node_modules/.bin/cdk
TERRAFORM ?= terraform
# Go modules beside the root's.
MODULES := deploy/aws deploy/schemas

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## play the main job on this machine: armed, access removed, given back, told
	dist/byokwatch local

build: ## build the CLI and the functions for this machine into dist/
	CGO_ENABLED=0 go build -trimpath -o dist/byokwatch ./cmd/byokwatch
	CGO_ENABLED=0 go build $(GOFLAGS_AWS) -o dist/aws/bootstrap ./functions/aws
	CGO_ENABLED=0 go build $(GOFLAGS_GCP) -o dist/gcp/byokwatch-gcp ./functions/gcp
	CGO_ENABLED=0 go build $(GOFLAGS_AZURE) -o dist/azure/handler ./functions/azure
	@for file in $(HOST_AZURE); do mkdir -p dist/azure/$$(dirname $$file) && cp functions/azure/$$file dist/azure/$$file || exit 1; done

test: $(AZURITE)/installed ## vet, formatting, house rules and every test, those of the deployments included
	go vet ./...
	@unformatted=$$(find . -name dist -prune -o -name node_modules -prune -o -name '*.go' -print | xargs gofmt -l); \
		test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	@command -v terraform > /dev/null || command -v tofu > /dev/null || \
		echo "SKIPPED: no terraform or tofu on the PATH: modules are checked against schemas, but not validated, tested or planned"
	go test ./...
# Anew each time: they read files of the root module, and the cache of results
# looks only at a module's own. The CDK runs in Node.
	@for module in $(MODULES); do \
		if test $$module = deploy/aws && ! command -v node > /dev/null; then echo "SKIPPED: no node on the PATH: $$module is not tested"; continue; fi; \
		echo "go -C $$module test ./..." && go -C $$module vet ./... && go -C $$module test -count=1 ./... || exit 1; \
	done
	@$(MAKE) --no-print-directory synth

# Programs of npm's that tests and deployments run. The lock file says what is
# installed, to the byte.
define npm-ci
@mkdir -p $(@D) && rm -f $@ && cp $^ $(@D)/
@{ npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; } || \
	echo "SKIPPED: npm could not install $(1): what needs it is not tested"
endef

$(AZURITE)/installed: $(addprefix functions/azure/blobstore/testdata/azurite/,package.json package-lock.json)
	$(call npm-ci,Azurite)

$(CDKTOOL)/installed: $(addprefix deploy/aws/cdk/,package.json package-lock.json)
	$(call npm-ci,the command line of the CDK)

# The stack does not look into its package, so that any will do.
synth: $(CDKTOOL)/installed ## the stack for AWS of an example, synthesised as a deployment does it
	go run ./deploy/archive dist/example.zip deploy/testdata/byokwatch.yaml
	@test ! -e $< || { cd deploy/aws && $(CDK) synth --quiet --output ../../dist/example.cdk.out \
		-c deployment=$(CURDIR)/deploy/testdata/aws.json -c package=$(CURDIR)/dist/example.zip; }

bench: ## how fast it judges, plans and starts
	go test -run '^$$' -bench . -benchmem ./...
	@go test -count=1 -run '^TestOneRound' -v ./functions/... | grep 'rounds before'

fuzz: ## fuzz each parser and judge for FUZZTIME
	@grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname "$$file"); echo "$$dir $$name"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" < /dev/null || exit 1; \
	done

lint: ## staticcheck and, where its database can be reached, govulncheck
	@for module in . $(MODULES); do echo "staticcheck $$module" && (cd $$module && go run $(STATICCHECK) ./...) || exit 1; done
	@GOBIN=$(CURDIR)/dist/tools go install $(GOVULNCHECK) && dist/tools/govulncheck ./... || { code=$$?; test $$code -ne 3 || exit 1; \
		echo "SKIPPED: govulncheck could not look (exit $$code): known vulnerabilities were not checked"; }

package: ## the uploads for AWS Lambda, Cloud Run and Azure Functions, reproducible, with SBOMs and SHA256SUMS; CONFIG=byokwatch.yaml packs that file too
	$(PACKAGING) GOARCH=arm64 go build $(GOFLAGS_AWS) -o dist/package/aws/bootstrap ./functions/aws
	$(PACKAGING) GOARCH=amd64 go build $(GOFLAGS_GCP) -o dist/package/gcp/byokwatch-gcp ./functions/gcp
	$(PACKAGING) GOARCH=amd64 go build $(GOFLAGS_AZURE) -o dist/package/azure/handler ./functions/azure
	go build -o dist/tools/ ./deploy/archive ./deploy/sbom
	dist/tools/archive dist/$(UPLOAD_aws) dist/package/aws/bootstrap $(PACKED)
	dist/tools/archive dist/$(UPLOAD_gcp) dist/package/gcp/byokwatch-gcp $(PACKED)
	dist/tools/archive dist/$(UPLOAD_azure) dist/package/azure/handler $(foreach file,$(HOST_AZURE),functions/azure/$(file)=$(file)) $(PACKED)
	dist/tools/sbom dist/byokwatch-aws-arm64.cdx.json dist/package/aws/bootstrap $(VERSION)
	dist/tools/sbom dist/byokwatch-gcp-amd64.cdx.json dist/package/gcp/byokwatch-gcp $(VERSION)
	dist/tools/sbom dist/byokwatch-azure-amd64.cdx.json dist/package/azure/handler $(VERSION)
	cd dist && $(SHA256SUM) $(UPLOAD_aws) $(UPLOAD_gcp) $(UPLOAD_azure) $(BILLS) > SHA256SUMS
package: PACKED = $(if $(CONFIG),$(CONFIG)=byokwatch.yaml)

# need NAME,EXAMPLE stops before anything is done where a variable is missing.
need = $(if $(strip $($(1))),,$(error make $@ needs $(1): give it $(1)=$(2)))

# ask QUESTION goes on only after a yes, from the terminal or with YES=1 from
# somebody who has read the plan elsewhere, such as a pipeline's reviewer.
define ask
@test "$(YES)" = 1 || { printf '\n%s Only yes goes on: ' "$(1)"; read -r answer || true; test "$$answer" = yes; } || \
	{ echo "Nothing was changed."; exit 1; }
endef

# The cloud is the end of the target's name, the root module that of the example
# unless somebody has one of his own.
CLOUD = $(lastword $(subst -, ,$@))
ROOT ?= deploy/$(CLOUD)/example

# Configuration first: what is wrong in it costs no build. The function that is
# deployed has the same file inside.
define prepared
@mkdir -p dist
go run ./cmd/byokwatch config deployment --cloud $(CLOUD) $(1) "$(CONFIG)" > dist/deployment-$(CLOUD).json
@$(MAKE) --no-print-directory package
endef

# What is shown is what is done: the stack is synthesised once.
define synthesised
$(call need,CONFIG,byokwatch.yaml)$(call need,ACCOUNT,111122223333)$(call need,REGION,us-west-2)
$(call prepared,--account "$(ACCOUNT)" --region "$(REGION)")
@$(MAKE) --no-print-directory $(CDKTOOL)/installed && test -e $(CDKTOOL)/installed
cd deploy/aws && $(CDK) synth --quiet -c deployment=$(CURDIR)/dist/deployment-aws.json -c package=$(CURDIR)/dist/$(UPLOAD_aws) $(OPTIONS)
endef

deploy-aws: ## show what would change in one account and Region, ask, do it: CONFIG= ACCOUNT= REGION= [OPTIONS="-c alarmTopic=ARN"] [YES=1]
	$(synthesised)
	cd deploy/aws && $(CDK) diff --app ../../dist/cdk.out
	$(call ask,Deploy this to account $(ACCOUNT) in $(REGION)?)
	cd deploy/aws && $(CDK) deploy --app ../../dist/cdk.out --require-approval never

# CloudFormation shows no plan of a removal, but its template says what it keeps:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
REMOVAL := const all = Object.entries(require("./dist/cdk.out/Byokwatch.template.json").Resources); \
	console.log(all.map(([id, r]) => (/^Retain/.test(r.DeletionPolicy) ? "  stays " : "  goes  ") + r.Type + " " + id).sort().join("\n"))

destroy-aws: ## show what would go and what stays, ask, remove the watchdog; its store stays. As deploy-aws
	$(synthesised)
	@node -e '$(REMOVAL)'
	@printf '\n%s\n%s\n' 'A key policy that names the role keeps a dead ID in its place, and KMS then refuses later edits of it:' \
		'run byokwatch prepare KEY --remove first, for each key.'
	$(call ask,Remove the watchdog from account $(ACCOUNT) in $(REGION)? Nobody gives access back from then on.)
	cd deploy/aws && $(CDK) destroy --app ../../dist/cdk.out --force

# What is shown is what is done: the plan is a file.
PLAN = $(CURDIR)/dist/$(CLOUD).tfplan
define planned
$(call need,CONFIG,byokwatch.yaml)
$(call prepared,)
cp dist/deployment-$(CLOUD).json "$(ROOT)/deployment.json"
$(TERRAFORM) -chdir="$(ROOT)" init -input=false
TF_VAR_package=$(CURDIR)/dist/$(UPLOAD_$(CLOUD)) $(TERRAFORM) -chdir="$(ROOT)" plan -input=false $(1) -out=$(PLAN)
endef

deploy-gcp: ## show what would change in Google Cloud, ask, do it: CONFIG= [ROOT=deploy/gcp/example] [YES=1]
deploy-azure: ## the same in Azure: CONFIG= [ROOT=deploy/azure/example] [YES=1]
deploy-gcp deploy-azure:
	$(planned)
	$(call ask,Deploy this?)
	$(TERRAFORM) -chdir="$(ROOT)" apply -input=false $(PLAN)

destroy-gcp: ## show what would go from Google Cloud, ask, remove the watchdog; its store stays. As deploy-gcp
destroy-azure: ## the same in Azure. As deploy-azure
destroy-gcp destroy-azure:
	$(call planned,-destroy -target=module.byokwatch)
	$(call ask,Remove the watchdog? Nobody gives access back from then on.)
	$(TERRAFORM) -chdir="$(ROOT)" apply -input=false $(PLAN)

schemas: ## read anew what Terraform's providers accept, from npm, after a module has come to use a new type
	go run -C deploy/schemas . extract

clean: ## remove what was built
	rm -rf dist
