/** An engine's networks to the other nodes, one for each device: links as they are configured, certificates as files. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Socket } from 'node:net';
import { assert } from './base/assert.ts';
import { decodePreamble, PREAMBLE_LENGTH } from './base/partner-preamble.ts';
import type { Uuid } from './base/uuid.ts';
import { nodeNameIn } from './base/node-name.ts';
import type { ClusterSpec } from './engine/spec.ts';
import type { PartnerNetwork } from './ports/partner-network.ts';
import type { Trace } from './ports/trace.ts';
import { systemClock } from './runtime/clock.ts';
import { answerMeasurements } from './runtime/link-measure.ts';
import { parseAddress } from './runtime/listener.ts';
import { type LinkAddresses, NodeNetwork } from './runtime/partner-network.ts';
import { createTlsProof, type Proof } from './runtime/partner-tls.ts';
import { prepare } from './runtime/tcp-options.ts';

export interface Partners {
  open(device: Uuid, partners: readonly number[]): PartnerNetwork;
  /** A connection that came in, and what was read of it. */
  accept(socket: Socket, head: Uint8Array): void;
}

export function createPartners(cluster: ClusterSpec, trace: Trace): Partners {
  const networks = new Map<Uuid, NodeNetwork>();
  let proof: Proof | undefined;
  return {
    open(device, partners) {
      proof ??= proofOf(cluster);
      networks.get(device)?.close();
      const network = new NodeNetwork({
        self: cluster.node,
        device,
        nameOf: namesOf(cluster, partners),
        links: linksOf(cluster, partners),
        proof,
        clock: systemClock,
        trace,
      });
      networks.set(device, network);
      return network;
    },
    accept(socket, head) {
      const preamble = decodePreamble(head);
      if (preamble.ok && preamble.value.kind === 'measure') {
        proof ??= proofOf(cluster);
        return acceptMeasurement(cluster, proof, socket, head);
      }
      const network = preamble.ok ? networks.get(preamble.value.device) : undefined;
      if (network === undefined) socket.destroy();
      else network.accept(socket, head);
    },
  };
}

/** Throws where the certificates cannot be read. */
export function proofOf({ certificates }: ClusterSpec): Proof {
  const read = (name: string): string => readFileSync(path.join(certificates, name), 'utf8');
  return createTlsProof({
    certificate: read('node.crt'),
    key: read('node.key'),
    authority: read('ca.crt'),
  });
}

/** Any partner may ask how fast its links are. */
function acceptMeasurement(
  { name, partners }: ClusterSpec,
  proof: Proof,
  socket: Socket,
  head: Uint8Array,
): void {
  const rest = head.subarray(PREAMBLE_LENGTH);
  if (rest.length > 0) socket.unshift(rest);
  prepare(socket);
  socket.on('error', () => undefined); // 'close' follows
  const names = partners.map((partner) => nodeNameIn(name, partner.name));
  void proof.accept(socket, names).then((proven) => {
    if (proven.ok) answerMeasurements(proven.value.socket);
  });
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
