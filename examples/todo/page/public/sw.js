// Keeps the page itself, so that it also opens without the server. The todos don't need this: they are in IndexedDB.
const cacheName = "todo-page"
const files = ["/", "/main.js", "/style.css", "/icon.svg"]

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)))
  self.skipWaiting()
})

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()))

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && files.includes(new URL(event.request.url).pathname)) {
    event.respondWith(freshOrKept(event.request))
  }
})

const freshOrKept = async (request) => {
  const cache = await caches.open(cacheName)
  try {
    const response = await fetch(request)
    if (response.ok) await cache.put(request, response.clone())
    return response
  } catch {
    return (await cache.match(request, { ignoreSearch: true })) ?? Response.error()
  }
}
