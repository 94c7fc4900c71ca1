import type { CallOptions, Http } from "./http.js";
import type { CreatePolicyRequest, DeletedPolicy, Policy, PolicyTerms, UpdatePolicyRequest } from "./schema.js";

/** What an organisation demands of its keys: `postq.policies`. All of it takes the scope `policies`. */
export class Policies {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Makes a policy. Once this is answered it binds every later call. */
  async create(request: CreatePolicyRequest, options?: CallOptions): Promise<Policy> {
    return (await this.#http.call("createPolicy", { body: request }, options)).data;
  }

  /** All policies, oldest first: there are at most 100. */
  async list(options?: CallOptions): Promise<Policy[]> {
    return (await this.#http.call("listPolicies", {}, options)).data;
  }

  /** Policies that an organisation may take up, by handing them to `create`. None is in force by itself. */
  async offered(options?: CallOptions): Promise<PolicyTerms[]> {
    return (await this.#http.call("listOfferedPolicies", {}, options)).data;
  }

  async get(id: string, options?: CallOptions): Promise<Policy> {
    return (await this.#http.call("getPolicy", { path: { id } }, options)).data;
  }

  /** Changes a policy; what is left out stays, and a rule is changed as a whole. */
  async update(id: string, change: UpdatePolicyRequest, options?: CallOptions): Promise<Policy> {
    return (await this.#http.call("updatePolicy", { path: { id }, body: change }, options)).data;
  }

  /** Deletes a policy, one that cannot be read too. */
  async delete(id: string, options?: CallOptions): Promise<DeletedPolicy> {
    return (await this.#http.call("deletePolicy", { path: { id } }, options)).data;
  }
}
