/** A configuration in a message (docs/FORMATS.md): its replicas follow where they are not those the device was made with. */

import type { WireReader, WireWriter } from '../base/wire.ts';
import type { Configuration } from './configuration.ts';
import {
  CONFIGURATION_LENGTH,
  getConfiguration,
  getReplicas,
  putConfiguration,
  putReplicas,
  REPLICAS_LENGTH,
} from './fields.ts';

/** A flag of the message says so. */
export function namesReplicas({ replicas, formerly }: Configuration): boolean {
  return replicas !== undefined || formerly !== undefined;
}

export function putConfigurationTo(to: WireWriter, configuration: Configuration): void {
  to.fixed(CONFIGURATION_LENGTH, putConfiguration, configuration);
  if (namesReplicas(configuration)) to.fixed(REPLICAS_LENGTH, putReplicas, configuration);
}

export function getConfigurationFrom(from: WireReader, areNamed: boolean): Configuration | undefined {
  const configuration = from.fixed(CONFIGURATION_LENGTH, getConfiguration);
  const replicas = areNamed ? from.fixed(REPLICAS_LENGTH, getReplicas) : {};
  return configuration && replicas && { ...configuration, ...replicas };
}
