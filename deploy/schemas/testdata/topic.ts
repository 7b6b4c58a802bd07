// Written for the tests, in the shape in which the bindings are generated.
import * as cdktf from 'cdktf';

export interface TopicConfig extends cdktf.TerraformMetaArguments {
  /**
  * What it is called.
  *
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#name Topic#name}
  */
  readonly name: string;
  /**
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#labels Topic#labels}
  */
  readonly labels?: { [key: string]: string };
  /**
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#size Topic#size}
  */
  readonly size?: number;
  /**
  * Called otherwise in TypeScript.
  *
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#build Topic#build}
  */
  readonly buildAttribute?: boolean | cdktf.IResolvable;
  /**
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#zones Topic#zones}
  */
  readonly zones?: string[];
  /**
  * rule block
  *
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#rule Topic#rule}
  */
  readonly rule: TopicRule[] | cdktf.IResolvable;
  /**
  * policy block
  *
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#policy Topic#policy}
  */
  readonly policy?: TopicPolicy;
  /**
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#ingress Topic#ingress}
  */
  readonly ingress?: TopicRule[] | cdktf.IResolvable;
  /**
  * timeouts block
  *
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#timeouts Topic#timeouts}
  */
  readonly timeouts?: TopicPolicy;
}
export interface TopicRule {
  /**
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#days Topic#days}
  */
  readonly days: number[][] | cdktf.IResolvable;
}

export function topicRuleToTerraform(struct?: TopicRule | cdktf.IResolvable): any {
  return { days: struct!.days };
}

export function topicRuleToHclTerraform(struct?: TopicRule | cdktf.IResolvable): any {
  const attrs = {
    days: {
      value: cdktf.listMapperHcl(cdktf.numberListToHclTerraform, false)(struct!.days),
      isBlock: false,
      type: "list",
      storageClassType: "numberListList",
    },
  };
  return attrs;
}

export class TopicRuleOutputReference extends cdktf.ComplexObject {
  // days - computed: false, optional: false, required: true
  private _days?: number[][] | cdktf.IResolvable;
  public get days() {
    return this.interpolationForAttribute('days');
  }
}
export interface TopicPolicy {
  /**
  * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/acme/x/1.2.3/docs/resources/topic#regions Topic#regions}
  */
  readonly regions?: string[];
}

export function topicPolicyToHclTerraform(struct?: TopicPolicy): any {
  const attrs = {
    regions: {
      value: cdktf.listMapperHcl(cdktf.stringToHclTerraform, false)(struct!.regions),
      isBlock: false,
      type: "set",
      storageClassType: "stringList",
    },
  };
  return attrs;
}

export class TopicPolicyOutputReference extends cdktf.ComplexObject {
  // regions - computed: false, optional: true, required: false
  private _regions?: string[];
  public get regions() {
    return cdktf.Fn.tolist(this.getListAttribute('regions'));
  }

  // region_ids - computed: true, optional: false, required: false
  public get regionIds() {
    return cdktf.Token.asNumberList(cdktf.Fn.tolist(this.getNumberListAttribute('region_ids')));
  }
}
export class TopicEndpointOutputReference extends cdktf.ComplexObject {
  // url - computed: true, optional: false, required: false
  public get url() {
    return this.getStringAttribute('url');
  }

  // open - computed: true, optional: false, required: false
  public get open() {
    return this.getBooleanAttribute('open');
  }
}

export class Topic extends cdktf.TerraformResource {
  public static readonly tfResourceType = "x_topic";

  public constructor(scope: Construct, id: string, config: TopicConfig) {
    super(scope, id, {
      terraformResourceType: 'x_topic',
      terraformGeneratorMetadata: {
        providerName: 'x',
        providerVersion: '1.2.3',
        providerVersionConstraint: '~> 1.0'
      },
    });
  }

  // name - computed: false, optional: false, required: true
  private _name?: string;
  public get name() {
    return this.getStringAttribute('name');
  }

  // labels - computed: false, optional: true, required: false
  private _labels?: { [key: string]: string };
  public get labels() {
    return this.getStringMapAttribute('labels');
  }

  // size - computed: true, optional: true, required: false
  private _size?: number;
  public get size() {
    return this.getNumberAttribute('size');
  }

  // id - computed: true, optional: false, required: false
  public get id() {
    return this.getStringAttribute('id');
  }

  // effective_labels - computed: true, optional: false, required: false
  private _effectiveLabels = new cdktf.StringMap(this, "effective_labels");
  public get effectiveLabels() {
    return this._effectiveLabels;
  }

  // endpoints - computed: true, optional: false, required: false
  private _endpoints = new TopicEndpointList(this, "endpoints", true);
  public get endpoints() {
    return this._endpoints;
  }

  // raw - computed: true, optional: false, required: false
  public get raw() {
    return this.interpolationForAttribute('raw');
  }

  // rule - computed: false, optional: false, required: true
  private _rule = new TopicRuleList(this, "rule", true);
  public get rule() {
    return this._rule;
  }

  // policy - computed: false, optional: true, required: false
  private _policy = new TopicPolicyOutputReference(this, "policy");
  public get policy() {
    return this._policy;
  }

  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      name: {
        value: cdktf.stringToHclTerraform(this._name),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
      labels: {
        value: cdktf.hashMapperHcl(cdktf.stringToHclTerraform)(this._labels),
        isBlock: false,
        type: "map",
        storageClassType: "stringMap",
      },
      size: {
        value: cdktf.numberToHclTerraform(this._size),
        isBlock: false,
        type: "simple",
        storageClassType: "number",
      },
      build: {
        value: cdktf.booleanToHclTerraform(this._buildAttribute),
        isBlock: false,
        type: "simple",
        storageClassType: "boolean",
      },
      zones: {
        value: cdktf.listMapperHcl(cdktf.stringToHclTerraform, false)(this._zones),
        isBlock: false,
        type: "list",
        storageClassType: "stringList",
      },
      rule: {
        value: cdktf.listMapperHcl(topicRuleToHclTerraform, true)(this._rule.internalValue),
        isBlock: true,
        type: "set",
        storageClassType: "TopicRuleList",
      },
      policy: {
        value: topicPolicyToHclTerraform(this._policy.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "TopicPolicyList",
      },
      ingress: {
        value: cdktf.listMapperHcl(topicRuleToHclTerraform, false)(this._ingress.internalValue),
        isBlock: true,
        type: "set",
        storageClassType: "TopicRuleList",
      },
      timeouts: {
        value: topicPolicyToHclTerraform(this._timeouts.internalValue),
        isBlock: true,
        type: "struct",
        storageClassType: "TopicPolicy",
      },
    };
    return attrs;
  }
}
