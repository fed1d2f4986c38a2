/** An engine's networks to the other nodes, one for each device: links as they are configured, certificates as files. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Socket } from 'node:net';
import { assert } from './base/assert.ts';
import { decodePreamble } from './base/partner-preamble.ts';
import { fail, ok, type Result } from './base/result.ts';
import type { Uuid } from './base/uuid.ts';
import { nodeNameIn } from './base/node-name.ts';
import type { ClusterSpec } from './engine/spec.ts';
import type { PartnerNetwork } from './ports/partner-network.ts';
import type { Trace } from './ports/trace.ts';
import { systemClock } from './runtime/clock.ts';
import { Measurements } from './runtime/measurements.ts';
import { parseAddress } from './runtime/listener.ts';
import { type LinkAddresses, NodeNetwork } from './runtime/partner-network.ts';
import { createTlsProof, type Proof } from './runtime/partner-tls.ts';

export interface Partners {
  open(device: Uuid, partners: readonly number[]): PartnerNetwork;
  /** A connection that came in, and what was read of it. */
  accept(socket: Socket, head: Uint8Array): void;
}

export function createPartners(cluster: ClusterSpec, trace: Trace): Partners {
  const networks = new Map<Uuid, NodeNetwork>();
  let proof: Proof | undefined;
  const proven = (): Result<Proof, string> => {
    if (proof !== undefined) return ok(proof);
    const made = proofOf(cluster);
    if (made.ok) proof = made.value;
    return made;
  };
  const measurements = new Measurements({
    proof: proven,
    // Any partner may ask how fast its links are.
    names: cluster.partners.map((partner) => nodeNameIn(cluster.name, partner.name)),
    trace,
  });
  return {
    open(device, partners) {
      const made = proven();
      // A mirror without certificates has no partners.
      if (!made.ok) throw new Error(made.fault);
      networks.get(device)?.close();
      const network = new NodeNetwork({
        self: cluster.node,
        device,
        nameOf: namesOf(cluster, partners),
        links: linksOf(cluster, partners),
        proof: made.value,
        clock: systemClock,
        trace,
      });
      networks.set(device, network);
      return network;
    },
    accept(socket, head) {
      const preamble = decodePreamble(head);
      if (preamble.ok && preamble.value.kind === 'measure') return measurements.accept(socket, head);
      const network = preamble.ok ? networks.get(preamble.value.device) : undefined;
      if (network === undefined) socket.destroy();
      else network.accept(socket, head);
    },
  };
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

function namesOf({ name, partners }: ClusterSpec, wanted: readonly number[]): Map<number, string> {
  const own = partners.filter(({ node }) => wanted.includes(node));
  return new Map(own.map((partner) => [partner.node, nodeNameIn(name, partner.name)]));
}

function linksOf({ partners }: ClusterSpec, wanted: readonly number[]): LinkAddresses[] {
  return partners.flatMap(({ node, name, links }) =>
    wanted.includes(node)
      ? links.map(({ kind, local, remote }, index) => {
          const address = parseAddress(remote);
          assert(address !== undefined, 'an address of a partner was checked');
          const link = { partner: node, number: index + 1, kind, name: `${name} ${remote}` };
          return { ...link, local, remote: address };
        })
      : [],
  );
}
