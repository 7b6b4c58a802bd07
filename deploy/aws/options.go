package main

// Options are the choices that the configuration does not hold, given to the
// CDK as -c NAME=VALUE.
type Options struct {
	Package           string   // the zip of `make package`
	AlarmTopic        string   // ARN of the SNS topic that alarms go to
	OperatorRoles     []string // ARNs of the roles that may leave requests
	ManagementAccount string   // the organisation's, when it forwards its events
	CreateStore       bool     // make the bucket (default), or use one that is there
	StoreRegion       string   // of a bucket that is there
	OtherRoles        []string // ARNs of the other watchdogs' roles that share the store
	CreateSigningKey  bool
	SecurityBus       string // ARN of the event bus that tampering is told to
	EventConcurrency  int
	SweepConcurrency  int
	LogRetention      int // days
}

// defaults are the Options where none is given.
func defaults() Options {
	return Options{CreateStore: true, EventConcurrency: 10, SweepConcurrency: 2, LogRetention: 90}
}

// Concrete are the Inputs of one account and Region.
func Concrete(d Deployment, o Options) (Inputs, error) {
	return Inputs{}, nil
}
