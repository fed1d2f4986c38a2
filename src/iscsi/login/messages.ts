/** The login phase's PDUs as plain values: what `pdu/login.ts` decodes and encodes and `login/login.ts` decides on. */

/** RFC 7143 §11.12.3. */
export const Stage = { security: 0, operational: 1, fullFeature: 3 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

/** RFC 7143 §11.12. */
export interface LoginRequest {
  readonly transit: boolean;
  /** C bit: the text goes on in the next Login Request. */
  readonly continued: boolean;
  /** Two bits as received; 2 is not a stage. */
  readonly currentStage: number;
  readonly nextStage: number;
  readonly versionMax: number;
  readonly versionMin: number;
  /** 12 hex digits. */
  readonly isid: string;
  readonly tsih: number;
  readonly initiatorTaskTag: number;
  readonly cid: number;
  readonly cmdSN: number;
  readonly expStatSN: number;
  /** Key=value pairs, each ended by a NUL, possibly cut anywhere when `continued`. */
  readonly text: Uint8Array;
}

/** RFC 7143 §11.13. The connection adds StatSN, ExpCmdSN and MaxCmdSN. */
export interface LoginResponse {
  readonly transit: boolean;
  readonly continued: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly isid: string;
  readonly tsih: number;
  readonly initiatorTaskTag: number;
  /** RFC 7143 §11.13.5; both 0 on success. */
  readonly statusClass: number;
  readonly statusDetail: number;
  readonly text: Uint8Array;
}
