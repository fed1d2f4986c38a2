/**
 * Registers (ports/vote-store.ts) as keys in etcd, through its JSON gateway (v3): a read is a linearizable range, a write a
 * transaction that compares the key's mod_revision. 64-bit numbers are strings there, keys and values base64.
 *
 * A request that failed is never repeated: a second try could be told that somebody was faster, who was the first. The next
 * one goes to the next endpoint.
 */

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { fail, ok, type Result } from '../base/result.ts';
import type { StoredVote, VoteFault, VoteStore } from '../ports/vote-store.ts';

export interface EtcdOptions {
  /** `http://host:2379` or `https://…`, at least one. */
  readonly endpoints: readonly string[];
  /** PEM; a certificate and key of our own where etcd asks for them. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly user?: { readonly name: string; readonly password: string };
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 1500;
const ANSWER_LENGTH_MAX = 1024 * 1024;
const UNAUTHENTICATED = 401;
/** What another try does not change. */
const REFUSALS: readonly number[] = [400, UNAUTHENTICATED, 403, 404];

type Json = { readonly [name: string]: unknown };
type Answer = Result<Json, VoteFault & { readonly status?: number }>;

interface RangeAnswer {
  readonly kvs?: readonly { readonly value?: string; readonly mod_revision: string }[];
}

/** Exported for tests: no configuration names an etcd. */
export function openEtcdVotes(options: EtcdOptions, key: string): VoteStore {
  const etcd = new Etcd(options);
  const name = Buffer.from(key).toString('base64');
  return {
    name: `etcd key ${key}`,
    async read(): Promise<Result<StoredVote | undefined, VoteFault>> {
      const answer = await etcd.ask('/v3/kv/range', { key: name });
      if (!answer.ok) return answer;
      const [found] = (answer.value as RangeAnswer).kvs ?? [];
      if (found === undefined) return ok(undefined);
      const bytes = new Uint8Array(Buffer.from(found.value ?? '', 'base64'));
      return ok({ bytes, version: Number(found.mod_revision) });
    },
    async write(bytes, version): Promise<Result<boolean, VoteFault>> {
      const value = Buffer.from(bytes).toString('base64');
      // A key that is not there has mod_revision 0.
      const compare = { target: 'MOD', result: 'EQUAL', key: name, mod_revision: String(version) };
      const put = { request_put: { key: name, value } };
      const answer = await etcd.ask('/v3/kv/txn', { compare: [compare], success: [put] });
      return answer.ok ? ok(answer.value['succeeded'] === true) : answer;
    },
  };
}

class Etcd {
  readonly #options: EtcdOptions;
  #endpoint = 0;
  #token: string | undefined;

  constructor(options: EtcdOptions) {
    this.#options = options;
  }

  async ask(path: string, body: Json): Promise<Answer> {
    const authenticated = await this.#authenticate();
    if (!authenticated.ok) return authenticated;
    const answer = await this.#post(path, body);
    if (answer.ok || answer.fault.status !== UNAUTHENTICATED || this.#options.user === undefined)
      return answer;
    // The token is over, and nothing was done: this one may be asked again.
    this.#token = undefined;
    const again = await this.#authenticate();
    return again.ok ? this.#post(path, body) : again;
  }

  async #authenticate(): Promise<Answer> {
    const { user } = this.#options;
    if (user === undefined || this.#token !== undefined) return ok({});
    const answer = await this.#post('/v3/auth/authenticate', user as Json & typeof user);
    if (answer.ok) this.#token = String(answer.value['token']);
    return answer;
  }

  async #post(path: string, body: Json): Promise<Answer> {
    const { endpoints, tls = {}, timeoutMs = TIMEOUT_MS } = this.#options;
    const endpoint = endpoints[this.#endpoint % endpoints.length]!;
    const headers = {
      'content-type': 'application/json',
      ...(this.#token === undefined ? {} : { authorization: this.#token }),
    };
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const { status, text } = await post(new URL(path, endpoint), JSON.stringify(body), {
        ...tls,
        method: 'POST',
        headers,
        signal,
        agent: false,
      });
      if (status === 200) return ok(JSON.parse(text) as Json);
      const kind = REFUSALS.includes(status) ? 'unsuitable' : 'unreachable';
      if (kind === 'unreachable') this.#endpoint += 1;
      return fail({ kind, status, cause: `${endpoint} answers ${status}: ${text.slice(0, 200)}` });
    } catch (error) {
      this.#endpoint += 1;
      return fail({ kind: 'unreachable', cause: `${endpoint}: ${String(error)}` });
    }
  }
}

type PostOptions = Parameters<typeof httpsRequest>[1];

function post(
  url: URL,
  body: string,
  options: PostOptions,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, options, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > ANSWER_LENGTH_MAX) request.destroy(new Error('the answer is too long'));
        chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
