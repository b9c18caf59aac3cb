// The token of the address, once, for a cookie that this page alone sends.

/**
 * Exchanges the token in the address's fragment for a session, and takes it out of the address.
 * @returns {Promise<string>} why there is no session; empty where there is one.
 */
export async function enter() {
  const token = location.hash.slice(1);
  if (token) history.replaceState(null, "", location.pathname);
  try {
    const response = token
      ? await fetch("/session", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token }),
      })
      : await fetch("/session");
    if (response.ok) return "";
    return token ? (await response.text()).trim() : "open the address that was printed, with all that is behind #";
  } catch {
    return "the page's process does not answer";
  }
}
