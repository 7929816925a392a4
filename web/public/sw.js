// Keeps the shell of the page, so that it opens without a network. Messages are never kept here: the server is the
// truth, and a browser that was signed out must not show them.
const SHELL = "onebell-shell-2";
const ASSET = /\/assets\/[^"')\s]+/g;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.add("/")));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const old = (name) => name !== SHELL;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))));
  self.clients.claim();
});

// Another build has other file names: what the new page does not name goes.
async function keepShell(answer) {
  const cache = await caches.open(SHELL);
  const named = new Set((await answer.clone().text()).match(ASSET) ?? []);
  await cache.put("/", answer);
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/assets/index-") && !named.has(pathname)) await cache.delete(request);
  }
}

async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) await keepShell(answer.clone());
    return answer;
  } catch (error) {
    const kept = await caches.match("/");
    if (kept) return kept;
    throw error;
  }
}

async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(SHELL)).put(request, answer.clone());
  return answer;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && url.pathname === "/") event.respondWith(page(request));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(asset(request));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { seq } = event.notification.data;
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then(async (pages) => {
      const [first] = pages;
      if (first === undefined) return self.clients.openWindow(`/#m${seq}`);
      first.postMessage({ open: seq });
      return first.focus();
    }),
  );
});
