export { chromiumMissing, insecureHost, launchChromium } from "./chromium.ts"
export { bundle, servePage } from "./page.ts"
