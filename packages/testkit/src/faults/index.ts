export { type BackendBehindNetwork, behindNetwork } from "./behindNetwork.ts"
export { type Fault, type FaultKind, faultKinds, faultyBackend } from "./faultyBackend.ts"
export { awayFrom, type Befalls, type Trouble, troubledBackend, troubledServices } from "./trouble.ts"
export { withFeedAdmin, withFeedStore } from "./withFeedStore.ts"
