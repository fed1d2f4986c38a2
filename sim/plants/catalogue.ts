/** All planted faults of the mirror, by name. */

import { CLUSTER_PLANTS } from './cluster-plants.ts';
import { CHANNEL_PLANTS } from './channel-plants.ts';
import { CHOICE_PLANTS } from './choice-plants.ts';
import { RECORD_PLANTS } from './record-plants.ts';
import type { Catalogue } from './plant.ts';
import { RESYNC_PLANTS } from './resync-plants.ts';
import { COMMAND_PLANTS } from './command-plants.ts';
import { WRITE_PLANTS } from './write-plants.ts';

export const PLANTS: Catalogue = {
  ...WRITE_PLANTS,
  ...COMMAND_PLANTS,
  ...CLUSTER_PLANTS,
  ...CHOICE_PLANTS,
  ...RESYNC_PLANTS,
  ...RECORD_PLANTS,
  ...CHANNEL_PLANTS,
};
