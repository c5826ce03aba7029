import type { Attack } from "../scene.ts"
import { bigWriteMsgpack, bigWriteRpc } from "./bigWrite.ts"
import { camp, campClosed } from "./camp.ts"
import { conflicts } from "./conflicts.ts"
import { hang } from "./hang.ts"
import { malformed, malformedTiny } from "./malformed.ts"
import { muteExit, odd } from "./odd.ts"
import { revoke } from "./revoke.ts"
import { rpcFrame } from "./rpcFrame.ts"
import { rpcNames, rpcSubscriptionNames } from "./rpcNames.ts"
import { rpcPing } from "./rpcPing.ts"
import { slowStorage } from "./slowStorage.ts"
import { soonProof } from "./soonProof.ts"

/** Every attack, in the order of `--all`. */
export const attacks: ReadonlyArray<Attack> = [
  rpcPing,
  malformed,
  malformedTiny,
  bigWriteRpc,
  bigWriteMsgpack,
  slowStorage,
  conflicts,
  hang,
  rpcNames,
  rpcSubscriptionNames,
  revoke,
  camp,
  campClosed,
  rpcFrame,
  soonProof,
  odd,
  muteExit
]
