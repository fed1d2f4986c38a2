/** An engine's networks to the other nodes, one for each device: links as they are configured, certificates as files. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import net, { type Socket } from 'node:net';
import { assert } from './base/assert.ts';
import { decodePreamble, encodePreamble, type Preamble } from './base/partner-preamble.ts';
import { fail, type Ok, ok, type Result } from './base/result.ts';
import type { Uuid } from './base/uuid.ts';
import { nodeNameIn } from './base/node-name.ts';
import type { AskPartner, DeviceAnswer, PartnerRequest } from './engine/device-commands.ts';
import type { ClusterSpec, PartnerSpec } from './engine/spec.ts';
import { answerOne, ask } from './management/control/exchange.ts';
import type { PartnerNetwork } from './ports/partner-network.ts';
import type { Trace } from './ports/trace.ts';
import { systemClock } from './runtime/clock.ts';
import { answerMeasurements } from './runtime/link-measure.ts';
import { parseAddress } from './runtime/listener.ts';
import { type LinkAddresses, NodeNetwork } from './runtime/partner-network.ts';
import { createTlsProof, type Proof } from './runtime/partner-tls.ts';
import { prepare } from './runtime/tcp-options.ts';
import { Visitors } from './runtime/visitors.ts';

const CONNECT_MS = 3000;
/** Of what a partner is asked. */
const ANSWER_MS_MAX = 60_000;
/** … when it copies what would be lost. */
const KEPT_MS_MAX = 10 * 60_000;

export interface Partners {
  open(device: Uuid): PartnerNetwork;
  /** A connection that came in, and what was read of it. */
  accept(socket: Socket, head: Uint8Array): void;
  /** Over whichever of its links works. */
  readonly ask: AskPartner;
}

type AnswerPartner = (device: Uuid, request: PartnerRequest) => Promise<DeviceAnswer>;

export function createPartners(cluster: ClusterSpec, trace: Trace, answer: AnswerPartner): Partners {
  const networks = new Map<Uuid, NodeNetwork>();
  let proof: Proof | undefined;
  const proven = (): Result<Proof, string> => {
    if (proof !== undefined) return ok(proof);
    const made = proofOf(cluster);
    if (made.ok) proof = made.value;
    return made;
  };
  const visitors = new Visitors({
    proof: proven,
    // Any partner may ask how fast its links are, and how a device is.
    names: cluster.partners.map((partner) => nodeNameIn(cluster.name, partner.name)),
    answer: (socket, head) => {
      const preamble = decodePreamble(head);
      if (preamble.ok && preamble.value.kind === 'measure') return answerMeasurements(socket);
      const { device } = (preamble as Ok<Preamble>).value;
      // `Object`: whatever came has properties, if only none of ours.
      return answerOne(socket, (request) => answer(device, Object(request) as PartnerRequest));
    },
    trace,
  });
  return {
    open(device) {
      const made = proven();
      // A mirror without certificates has no partners.
      if (!made.ok) throw new Error(made.fault);
      networks.get(device)?.close();
      const network = new NodeNetwork({
        self: cluster.node,
        device,
        nameOf: namesOf(cluster),
        links: linksOf(cluster),
        proof: made.value,
        clock: systemClock,
        trace,
      });
      networks.set(device, network);
      return network;
    },
    accept(socket, head) {
      const preamble = decodePreamble(head);
      const isVisit = preamble.ok && (preamble.value.kind === 'measure' || preamble.value.kind === 'command');
      if (isVisit) return visitors.accept(socket, head);
      const network = preamble.ok ? networks.get(preamble.value.device) : undefined;
      if (network === undefined) socket.destroy();
      else network.accept(socket, head);
    },
    ask: (node, device, request) => askPartner(cluster, proven, { node, device, request }),
  };
}

/** Its links one after the other, as they are configured. */
async function askPartner(
  cluster: ClusterSpec,
  proven: () => Result<Proof, string>,
  {
    node,
    device,
    request,
  }: { readonly node: number; readonly device: Uuid; readonly request: PartnerRequest },
): Promise<DeviceAnswer> {
  const partner = cluster.partners.find((one) => one.node === node);
  assert(partner !== undefined, 'a node of a device is a partner');
  const proof = proven();
  if (!proof.ok) return proof;
  const withinMs = request.kind === 'keepSide' ? KEPT_MS_MAX : ANSWER_MS_MAX;
  let why = 'there is no link to it';
  for (const at of partner.links.keys()) {
    // oxlint-disable-next-line no-await-in-loop -- the next one is for when this does not work
    const visit = await visitPartner(cluster, { partner, at, proof: proof.value, kind: 'command', device });
    if (visit.ok) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await ask(visit.value, request, withinMs);
      if (answer.ok && isAnswer(answer.value)) return answer.value;
      why = answer.ok ? 'what it says is no answer' : answer.fault;
      // It may have begun to do what it was asked.
      break;
    }
    why = visit.fault;
  }
  return fail(`Node ${partner.name} does not answer: ${why}.`);
}

function isAnswer(value: unknown): value is DeviceAnswer {
  return typeof (Object(value) as Partial<DeviceAnswer>).ok === 'boolean';
}

interface Visit {
  readonly partner: PartnerSpec;
  /** Which of its links. */
  readonly at: number;
  readonly proof: Proof;
  readonly kind: 'measure' | 'command';
  readonly device: Uuid;
}

/** A connection to a partner that both have proven, beside those of mirroring. The fault is a clause for people. */
export async function visitPartner(
  cluster: ClusterSpec,
  { partner, at, proof, kind, device }: Visit,
): Promise<Result<Socket, string>> {
  const { local, remote } = partner.links[at]!;
  const raw = net.connect({
    ...parseAddress(remote)!,
    ...(local === undefined ? {} : { localAddress: local }),
  });
  const failed = await new Promise<string | undefined>((resolve) => {
    raw.setTimeout(CONNECT_MS, () => raw.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)));
    raw.on('error', (error) => resolve(error.message));
    raw.once('connect', () => resolve(undefined));
  });
  if (failed !== undefined) return fail(`it cannot be reached: ${failed}`);
  raw.setTimeout(0);
  prepare(raw);
  raw.write(encodePreamble({ kind, device, link: at + 1 }));
  const proven = await proof.connect(raw, nodeNameIn(cluster.name, partner.name));
  return proven.ok ? ok(proven.value.socket) : fail(`nothing was proven: ${proven.fault.detail}`);
}

/** The fault, a clause for people: the certificates cannot be read, or are none. */
export function proofOf({ certificates }: ClusterSpec): Result<Proof, string> {
  const read = (name: string): string => readFileSync(path.join(certificates, name), 'utf8');
  try {
    const [certificate, key, authority] = [read('node.crt'), read('node.key'), read('ca.crt')];
    return ok(createTlsProof({ certificate, key, authority }));
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return fail(`the certificates in ${certificates} cannot be used: ${cause}`);
  }
}

function namesOf({ name, partners }: ClusterSpec): Map<number, string> {
  return new Map(partners.map((partner) => [partner.node, nodeNameIn(name, partner.name)]));
}

function linksOf({ partners }: ClusterSpec): LinkAddresses[] {
  return partners.flatMap(({ node, name, links }) =>
    links.map(({ kind, local, remote }, index) => {
      const address = parseAddress(remote);
      assert(address !== undefined, 'an address of a partner was checked');
      const link = { partner: node, number: index + 1, kind, name: `${name} ${remote}` };
      return { ...link, local, remote: address };
    }),
  );
}
