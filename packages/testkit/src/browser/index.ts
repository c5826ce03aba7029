export { chromiumMissing, insecureHost, launchChromium } from "./chromium.ts"
