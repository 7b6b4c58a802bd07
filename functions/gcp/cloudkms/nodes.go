package cloudkms

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/cloudresourcemanager/v3"
	iamv2 "google.golang.org/api/iam/v2"

	"byokwatch/core"
	"byokwatch/core/pattern"
	"byokwatch/core/share"
)

// maxDepth is more levels than there can be: folders nest 10 deep
// (https://docs.cloud.google.com/resource-manager/docs/creating-managing-folders).
const maxDepth = 16

// parentName is what may stand above a project.
var parentName = pattern.New(`^(?:folders|organizations)/[0-9]{1,20}$`)

// nodes reads the policies of a project and of everything above it. It stops
// where we may not see what is above.
func (r *reading) nodes(ctx context.Context, project string) (core.Policy, error) {
	var out core.Policy
	for node, depth := project, 0; node != "" && depth < maxDepth; depth++ {
		var level [2]core.Document
		var parent string
		var all errgroup.Group
		all.Go(func() (err error) { level[0], err = r.nodePolicy(ctx, node); return err })
		all.Go(func() (err error) { level[1], err = r.denyPolicies(ctx, node); return err })
		all.Go(func() (err error) { parent, err = r.parentOf(ctx, node); return err })
		if err := all.Wait(); err != nil {
			return nil, err
		}
		out, node = append(out, level[:]...), parent
	}
	return out, nil
}

func (r *reading) nodePolicy(ctx context.Context, node string) (core.Document, error) {
	return share.Once(ctx, r.view, "policy of "+node, func(ctx context.Context) (core.Document, error) {
		in := &cloudresourcemanager.GetIamPolicyRequest{Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: policyVersion}}
		out, err := try(ctx, r.opts, 0, func(ctx context.Context) (*cloudresourcemanager.Policy, error) {
			switch kindOf(node) {
			case "folders":
				return r.api.Projects.Folders.GetIamPolicy(node, in).Context(ctx).Do()
			case "organizations":
				return r.api.Projects.Organizations.GetIamPolicy(node, in).Context(ctx).Do()
			}
			return r.api.Projects.Projects.GetIamPolicy(node, in).Context(ctx).Do()
		})
		text := ""
		if err == nil {
			text, err = printed(out)
		}
		return maybe(core.IAMPolicy, node, "resourcemanager."+kindOf(node)+".getIamPolicy", text, err)
	})
}

func kindOf(node string) string {
	kind, _, _ := strings.Cut(node, "/")
	return kind
}

// parentOf is what stands above a node; "" where that is nothing, or where we
// may not know.
func (r *reading) parentOf(ctx context.Context, node string) (string, error) {
	return share.Once(ctx, r.view, "parent of "+node, func(ctx context.Context) (string, error) {
		parent, err := try(ctx, r.opts, 0, func(ctx context.Context) (string, error) {
			switch kindOf(node) {
			case "organizations":
				return "", nil
			case "folders":
				out, err := r.api.Projects.Folders.Get(node).Context(ctx).Do()
				if err != nil {
					return "", err
				}
				return out.Parent, nil
			}
			out, err := r.api.Projects.Projects.Get(node).Context(ctx).Do()
			if err != nil {
				return "", err
			}
			return out.Parent, nil
		})
		switch {
		case errors.Is(err, core.ErrDenied), errors.Is(err, core.ErrNotFound):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("what is above %s: %w", node, err)
		case parent != "" && !parentName.MatchString(parent):
			return "", fmt.Errorf("what is above %s: the answer names no folder and no organisation", node)
		}
		return parent, nil
	})
}

// denyPolicies reads the deny policies of a node. A list leaves their rules out,
// so each is read by itself
// (https://docs.cloud.google.com/iam/docs/reference/rest/v2/policies/listPolicies).
func (r *reading) denyPolicies(ctx context.Context, node string) (core.Document, error) {
	return share.Once(ctx, r.view, "deny policies of "+node, func(ctx context.Context) (core.Document, error) {
		text, err := r.readDeny(ctx, "policies/"+url.PathEscape("cloudresourcemanager.googleapis.com/"+node)+"/denypolicies")
		return maybe(core.DenyPolicies, node, "iam.denypolicies.list or iam.denypolicies.get", text, err)
	})
}

func (r *reading) readDeny(ctx context.Context, parent string) (string, error) {
	all := []*iamv2.GoogleIamV2Policy{}
	page := ""
	for range maxPages {
		out, err := try(ctx, r.opts, 0, func(ctx context.Context) (*iamv2.GoogleIamV2ListPoliciesResponse, error) {
			return r.api.Deny.Policies.ListPolicies(parent).PageToken(page).Context(ctx).Do()
		})
		if err != nil {
			return "", err
		}
		for _, short := range out.Policies {
			whole, err := try(ctx, r.opts, 0, func(ctx context.Context) (*iamv2.GoogleIamV2Policy, error) {
				return r.api.Deny.Policies.Get(parent + "/" + short.Name[strings.LastIndexByte(short.Name, '/')+1:]).Context(ctx).Do()
			})
			if errors.Is(err, core.ErrNotFound) {
				continue // deleted since it was listed
			}
			if err != nil {
				return "", err
			}
			all = append(all, whole)
		}
		if page = out.NextPageToken; page == "" {
			return printed(all)
		}
	}
	return "", errors.New("the list of deny policies does not end")
}
