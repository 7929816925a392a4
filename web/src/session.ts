// Whether somebody may be signed in here. The cookie itself is hidden from scripts; asking the server without one
// would answer every visit of the sign-in page with an error.

const KEY = "onebell.signedIn";
const FROM_SETUP = "#signed-in";

export function mayBeSignedIn(): boolean {
  if (location.hash === FROM_SETUP) {
    remember(true);
    history.replaceState(null, "", location.pathname);
  }
  return localStorage.getItem(KEY) === "yes";
}

export function remember(isSignedIn: boolean): void {
  if (isSignedIn) localStorage.setItem(KEY, "yes");
  else localStorage.removeItem(KEY);
}
