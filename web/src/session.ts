// Whether somebody may be signed in here. The cookie itself is hidden from scripts; asking the server without one
// would answer every visit of the sign-in page with an error.

const KEY = "onebell.signedIn";
const SETUP = `${location.origin}/console/setup`;

export function mayBeSignedIn(): boolean {
  // The set-up page, which runs no script, signs in and leads here.
  return localStorage.getItem(KEY) === "yes" || document.referrer.startsWith(SETUP);
}

export function remember(isSignedIn: boolean): void {
  if (isSignedIn) localStorage.setItem(KEY, "yes");
  else localStorage.removeItem(KEY);
}
