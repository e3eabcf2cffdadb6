// After one visit the page works without a network: what it is made of is kept. Names carry hashes, so that what is kept
// never is out of date; a new version is fetched in the background and there at the next visit.
const KEPT = `symbackprop-${"VERSION"}`;
const FILES = ["FILES"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("symbackprop-") && name !== KEPT;
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) { return; }
  if (url.pathname.endsWith("/index.html")) { url.pathname = url.pathname.slice(0, -"index.html".length); }
  event.respondWith(caches.open(KEPT).then(async (cache) => (await cache.match(url.href)) || fetch(event.request)));
});
