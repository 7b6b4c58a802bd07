// Package cfn evaluates templates of CloudFormation as far as that can be done
// without an account: given the values of the parameters, it says which
// resources would be made and with which properties. So tests can ask a template
// with parameters what they ask a template without.
//
// What only a deployment knows stays a symbol, a text in angle brackets: a
// reference to a resource is <Store>, an attribute of one <Store.Arn>. A template
// that says anything that is not known here is an error, never a guess.
//
// The language is described at
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
package cfn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Template is what is left of a template once it is evaluated.
type Template struct {
	Resources map[string]Resource
	Outputs   map[string]any // values by name
}

// Resource is one that would be made.
type Resource struct {
	Type                                string
	DependsOn                           []string `json:",omitempty"`
	DeletionPolicy, UpdateReplacePolicy string   `json:",omitempty"`
	Properties                          map[string]any
}

// written is a template as it is written. Sections and attributes that are not
// here are an error.
type written struct {
	AWSTemplateFormatVersion, Description string
	Metadata                              any
	Parameters                            map[string]parameter
	Conditions                            map[string]any
	Resources                             map[string]struct {
		Type, Condition                     string
		DeletionPolicy, UpdateReplacePolicy string
		DependsOn                           any
		Metadata                            any
		Properties                          map[string]any
	}
	Outputs map[string]struct {
		Condition, Description string
		Value, Export          any
	}
}

// evaluation is one in progress.
type evaluation struct {
	values    map[string]any  // of parameters: a text, or a list of texts
	written   map[string]any  // conditions as they are written
	decided   map[string]bool // those that are evaluated
	deciding  []string        // those being evaluated, to notice circles
	resources map[string]bool // whether each is made
}

// Evaluate evaluates a template for the values of its parameters, and of the
// pseudo parameters that it uses ("AWS::Region").
func Evaluate(template []byte, values map[string]string) (Template, error) {
	var w written
	d := json.NewDecoder(bytes.NewReader(template))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Template{}, fmt.Errorf("template: %w", err)
	}
	given, err := parameters(w.Parameters, values)
	if err != nil {
		return Template{}, err
	}
	e := &evaluation{values: given, written: w.Conditions, decided: map[string]bool{}}
	// Before there are resources: a condition can't speak of one.
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
	for _, name := range slices.Sorted(maps.Keys(w.Conditions)) {
		if _, err := e.condition(name); err != nil {
			return Template{}, err
		}
	}
	made := map[string]bool{}
	for id, r := range w.Resources {
		if made[id], err = e.chosen(r.Condition); err != nil {
			return Template{}, fmt.Errorf("%s: %w", id, err)
		}
	}
	e.resources = made
	out := Template{Resources: map[string]Resource{}, Outputs: map[string]any{}}
	for id, r := range w.Resources {
		if !made[id] {
			continue
		}
		properties, err := e.members(r.Properties)
		if err != nil {
			return Template{}, fmt.Errorf("%s: %w", id, err)
		}
		after, err := e.dependencies(r.DependsOn)
		if err != nil {
			return Template{}, fmt.Errorf("%s: %w", id, err)
		}
		out.Resources[id] = Resource{r.Type, after, r.DeletionPolicy, r.UpdateReplacePolicy, properties}
	}
	for name, o := range w.Outputs {
		there, err := e.chosen(o.Condition)
		if err == nil && there {
			out.Outputs[name], err = e.value(o.Value)
		}
		if err != nil {
			return Template{}, fmt.Errorf("output %s: %w", name, err)
		}
	}
	return out, nil
}

// chosen is the condition of a resource or output, which may have none.
func (e *evaluation) chosen(condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	return e.condition(condition)
}

// dependencies are those on resources that are made. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-dependson.html
func (e *evaluation) dependencies(on any) ([]string, error) {
	ids, several := on.([]any)
	if !several && on != nil {
		ids = []any{on}
	}
	var out []string
	for _, v := range ids {
		id, _ := v.(string)
		made, known := e.resources[id]
		if !known {
			return nil, fmt.Errorf("DependsOn: no resource is called %v", v)
		}
		if made {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}
