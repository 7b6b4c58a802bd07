package awstest

import (
	"encoding/json"
	"net/http"
)

// PutSecret stores the text that GetSecretValue returns for an ARN.
func (c *Cloud) PutSecret(arn, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[arn] = value
}

// serveSecrets answers GetSecretValue of Secrets Manager
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html).
// Without an identity policy that allows it, the caller is refused.
func (c *Cloud) serveSecrets(w http.ResponseWriter, r *http.Request, s scope) {
	id := c.nextID("request")
	var in struct{ SecretId string }
	err := json.NewDecoder(r.Body).Decode(&in)
	who, f := c.authenticate(r, s)
	switch {
	case f != nil:
	case r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		f = refuse("UnknownOperationException", "")
	case err != nil:
		f = refuse("SerializationException", "%v", err)
	default:
		var out any
		if out, f = c.secret(who, in.SecretId); f == nil {
			answer(w, id, nil, out)
			return
		}
	}
	answer(w, id, f, nil)
}

func (c *Cloud) secret(who Caller, arn string) (any, *failure) {
	const action = "secretsmanager:GetSecretValue"
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.newRequest(who, action, arn, nil)
	verdict := none
	for _, p := range c.iam.policies[who.Principal] {
		verdict = max(verdict, weighIdentity(p, r))
	}
	allowed := verdict == allows || (verdict == none && rootARN.MatchString(who.Principal))
	c.actions = append(c.actions, Action{Caller: who.Principal, Name: action, Resource: arn, At: c.opts.Now(), Allowed: allowed})
	if !allowed {
		return nil, refuse("AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", who.ARN(), action, arn, action)
	}
	value, ok := c.secrets[arn]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	return map[string]any{"ARN": arn, "Name": arn, "SecretString": value, "VersionId": "1"}, nil
}
