// Whether somebody may be signed in here. The cookie itself is hidden from scripts; asking the server without one
// would answer every visit of the sign-in page with an error.

const KEY = "onebell.signedIn";
const PAGES = [`${location.origin}/console/setup`, `${location.origin}/j/`];

export function mayBeSignedIn(): boolean {
  // The set-up page and the join pages, which run no script, sign in and lead here.
  return localStorage.getItem(KEY) === "yes" || PAGES.some((page) => document.referrer.startsWith(page));
}

export function remember(isSignedIn: boolean): void {
  if (isSignedIn) localStorage.setItem(KEY, "yes");
  else localStorage.removeItem(KEY);
}
