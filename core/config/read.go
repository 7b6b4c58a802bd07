package config

import (
	"cmp"
	"maps"
	"slices"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

var fieldName = pattern.New(`^[a-z_]{1,40}$`)

// settings are those that stand at the top or on a key.
type settings struct {
	mode     core.Mode
	restore  core.Restore
	keyState core.Care
	network  core.Care
}

func (d *decoder) settingFields(s *settings) map[string]func(*node, string) {
	return map[string]func(*node, string){
		"mode":      one(d, &s.mode, core.Observe, core.Enforce),
		"restore":   one(d, &s.restore, core.Patch, core.WholeSnapshot),
		"key_state": one(d, &s.keyState, core.CareAlert, core.CareRestore),
		"network":   one(d, &s.network, core.CareAlert, core.CareRestore),
	}
}

// file is a configuration while it is read: what is checked across fields
// keeps its line.
type file struct {
	settings
	store       stores
	storeLine   int
	aws         awsBlock
	keys        []*keyEntry
	alerts      []*channelEntry
	heartbeat   *secretEntry
	signing     *Signing
	signingRead bool // the block is there, right or wrong
}

type awsBlock struct {
	organization, confluentOrganization string
	lines                               map[string]int
}

// config reads the whole tree. Its result counts only if there is no fault.
func (d *decoder) config(root *node) *Config {
	f := &file{}
	fields := d.settingFields(&f.settings)
	fields["store"] = func(n *node, field string) { f.store, f.storeLine = d.stores(n, field), n.line }
	fields["aws"] = func(n *node, field string) {
		f.aws.lines = d.fields(n, field, map[string]func(*node, string){
			"organization":           parsed(d, &f.aws.organization, parseOwnOrganization),
			"confluent_organization": parsed(d, &f.aws.confluentOrganization, parseOrganization),
		})
	}
	fields["keys"] = func(n *node, field string) {
		d.each(n, field, func(n *node, field string) { f.keys = append(f.keys, d.key(n, field)) })
	}
	fields["alerts"] = func(n *node, field string) {
		d.each(n, field, func(n *node, field string) {
			if c := d.channel(n, field); c != nil {
				f.alerts = append(f.alerts, c)
			}
		})
	}
	fields["heartbeat"] = func(n *node, field string) {
		f.heartbeat = &secretEntry{}
		lines := d.fields(n, field, map[string]func(*node, string){"url": d.secret(f.heartbeat)})
		d.need(lines, n.line, field, "url")
	}
	fields["signing"] = func(n *node, field string) { f.signing, f.signingRead = d.signing(n, field), true }

	lines := d.fields(root, "", fields)
	d.need(lines, root.line, "", "mode", "keys", "store")
	return d.resolve(f, lines)
}

// resolve puts the parts together and checks what concerns several of them.
func (d *decoder) resolve(f *file, lines map[string]int) *Config {
	c := &Config{Mode: f.mode, Signing: f.signing}
	for _, e := range f.keys {
		c.Keys = append(c.Keys, d.resolveKey(f, e))
	}
	d.checkKeys(f, c.Keys)
	if len(c.KeysOf(core.AWS)) > 0 && f.aws.lines["organization"] == 0 {
		d.fault(max(lines["aws"], 1), "aws.organization", "is missing: it is required with AWS keys; write none where the account is in no organization")
	}
	if lines["store"] != 0 {
		c.Store = d.resolveStores(f, c)
	}
	for _, e := range f.alerts {
		d.checkSecret(f, c, e.url, e.Channel)
		c.Alerts = append(c.Alerts, e.Channel)
	}
	d.nameChannels(f.alerts, c)
	if f.heartbeat != nil {
		d.checkSecret(f, c, f.heartbeat, Channel{})
		c.Heartbeat = &Heartbeat{URL: f.heartbeat.value}
	}
	return c
}

// keyEntry is a key as it stands in the file.
type keyEntry struct {
	settings
	core.Key
	line   int
	field  string
	lines  map[string]int // of the fields that are there
	wanted map[string]int // of the fields of confluent:
	id     keyID
}

func (d *decoder) key(n *node, field string) *keyEntry {
	e := &keyEntry{line: n.line, field: field}
	fields := d.settingFields(&e.settings)
	fields["key"] = parsed(d, &e.id, parseKey)
	fields["vault"] = parsed(d, &e.Vault, parseVault)
	fields["label"] = parsed(d, &e.Label, parseLabel)
	fields["owner"] = parsed(d, &e.Owner, free)
	fields["clusters"] = texts(d, &e.Clusters, free)
	fields["runbook"] = parsed(d, &e.Runbook, parseRunbook)
	fields["confluent"] = func(n *node, field string) { e.wanted = d.confluent(n, field, &e.Needs) }
	e.lines = d.fields(n, field, fields)
	d.need(e.lines, n.line, field, "key", "confluent")
	return e
}

func (d *decoder) confluent(n *node, field string, c *core.Confluent) map[string]int {
	return d.fields(n, field, map[string]func(*node, string){
		"roles":       texts(d, &c.Roles, parseRole),
		"principals":  texts(d, &c.Principals, parseAccountRoot),
		"tenant":      parsed(d, &c.Tenant, parseGUID),
		"application": parsed(d, &c.Application, parseGUID),
		"principal":   parsed(d, &c.Principal, parseGUID),
		"cluster":     one(d, &c.Cluster, "dedicated", "enterprise"),
		"group":       parsed(d, &c.Group, parseGroup),
	})
}

// resolveKey fills in the settings and checks the key in itself.
func (d *decoder) resolveKey(f *file, e *keyEntry) core.Key {
	k := e.Key
	k.Cloud = e.id.cloud
	k.ID = e.id.id
	k.Mode = cmp.Or(e.mode, f.mode)
	k.Restore = cmp.Or(e.restore, f.restore, core.Patch)
	k.KeyState = cmp.Or(e.keyState, f.keyState, core.CareAlert)
	k.Network = cmp.Or(e.network, f.network, core.CareAlert)
	switch k.Cloud {
	case core.AWS:
		k.Organization, k.ConfluentOrganization = f.aws.organization, f.aws.confluentOrganization
		d.checkAWS(e)
	case core.Azure:
		d.checkAzure(e, &k)
	case core.GCP:
		d.only(e, "group")
		d.need(e.wanted, e.lines["confluent"], join(e.field, "confluent"), "group")
	default:
		return k // its ID is a fault already
	}
	if k.Cloud != core.Azure {
		k.Network = core.CareAlert
		d.notHere(e, "network", "is for keys of Azure Key Vault")
		d.notHere(e, "vault", "is for keys of Azure Key Vault")
	}
	if k.Restore == core.WholeSnapshot {
		d.checkWholeSnapshot(f, e, k)
	}
	return k
}

func (d *decoder) notHere(e *keyEntry, name, why string) {
	if line := e.lines[name]; line != 0 {
		d.fault(line, join(e.field, name), "%s", why)
	}
}

// only faults fields of confluent: that mean nothing for the key's cloud.
func (d *decoder) only(e *keyEntry, names ...string) {
	for _, name := range slices.Sorted(maps.Keys(e.wanted)) {
		if line := e.wanted[name]; !slices.Contains(names, name) {
			d.fault(line, join(e.field, "confluent."+name), "means nothing for a key of %s, which takes %s", cloudName(e.id.cloud), orList(names))
		}
	}
}

func (d *decoder) checkAWS(e *keyEntry) {
	d.only(e, "roles", "principals")
	if e.wanted != nil && e.wanted["roles"] == 0 && e.wanted["principals"] == 0 {
		d.fault(e.lines["confluent"], join(e.field, "confluent"), "needs roles, or for older clusters principals")
	}
	for _, arn := range slices.Concat(e.Needs.Roles, e.Needs.Principals) {
		if partition(arn) != partition(e.id.id) {
			d.fault(e.lines["confluent"], join(e.field, "confluent"), "%s is in the partition %s, the key in %s: no key policy reaches across partitions", quote(arn), partition(arn), partition(e.id.id))
		}
	}
}

// checkAzure settles the key's ARM ID from its URL and its vault.
func (d *decoder) checkAzure(e *keyEntry, k *core.Key) {
	d.only(e, "tenant", "application", "principal", "cluster")
	d.need(e.wanted, e.lines["confluent"], join(e.field, "confluent"), "tenant", "application", "principal", "cluster")
	switch {
	case e.lines == nil:
	case e.lines["vault"] == 0:
		d.fault(e.line, join(e.field, "vault"), "is missing: the vault's ARM ID, as az keyvault show --query id prints it")
	case e.Vault == "": // wrong, and a fault already
	case vaultName(e.Vault) != e.id.vault.name:
		d.fault(e.lines["vault"], join(e.field, "vault"), "is the vault %s, but the key's URL names the vault %s", quote(vaultName(e.Vault)), quote(e.id.vault.name))
	default:
		k.ID = e.Vault + "/keys/" + e.id.vault.key
	}
}

func (d *decoder) checkWholeSnapshot(f *file, e *keyEntry, k core.Key) {
	line, field := e.lines["restore"], join(e.field, "restore")
	if line == 0 {
		line = e.line
	}
	if k.Cloud != core.AWS {
		d.fault(line, field, "snapshot is only for AWS keys: write restore: patch on this key")
	}
	if !f.signingRead {
		d.fault(line, field, "snapshot needs signed snapshots: configure signing")
	}
}

// checkKeys finds keys and labels that stand there twice.
func (d *decoder) checkKeys(f *file, keys []core.Key) {
	ids, labels := map[string]*keyEntry{}, map[string]*keyEntry{}
	for i, e := range f.keys {
		if id := keys[i].ID; id != "" {
			if first := ids[id]; first != nil {
				d.fault(e.lines["key"], join(e.field, "key"), "is the same key as %s on line %d", first.field, first.lines["key"])
			} else {
				ids[id] = e
			}
		}
		if e.Label != "" {
			if first := labels[e.Label]; first != nil {
				d.fault(e.lines["label"], join(e.field, "label"), "%s is the label of %s already, on line %d", quote(e.Label), first.field, first.lines["label"])
			} else {
				labels[e.Label] = e
			}
		}
	}
}

func cloudName(c core.Cloud) string {
	switch c {
	case core.AWS:
		return "AWS KMS"
	case core.Azure:
		return "Azure Key Vault"
	case core.GCP:
		return "Google Cloud KMS"
	}
	return string(c)
}
