/** What `lockstep` asks the control process of a node, as it is read: nothing goes on to an engine that is no command. */

import { z } from 'zod';
import type { DeviceCommand } from '../../engine/device-commands.ts';
import type { Question } from './messages.ts';

const names = z.array(z.string());

const command: z.ZodType<DeviceCommand> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('show') }),
  z.object({ kind: z.literal('extend'), bytes: z.number() }),
  z.object({
    kind: z.literal('set'),
    change: z.object({
      priority: names.exactOptional(),
      writePolicy: z.enum(['through', 'back']).exactOptional(),
      aside: names.exactOptional(),
      fullResyncAbove: z.number().exactOptional(),
    }),
  }),
  z.object({ kind: z.literal('setCache'), bytes: z.number() }),
  z.object({ kind: z.literal('conflict') }),
  z.object({ kind: z.literal('resolve'), keep: z.string() }),
  z.object({ kind: z.literal('replica'), change: z.enum(['add', 'remove']), node: z.string() }),
  z.object({ kind: z.literal('mayLeave') }),
]);

const question: z.ZodType<Question> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('status') }),
  z.object({ kind: z.literal('device'), device: z.string(), command }),
]);

/** Undefined: it is none, or one of another version. */
export function questionIn(asked: unknown): Question | undefined {
  return question.safeParse(asked).data;
}
