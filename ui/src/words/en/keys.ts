/** The API keys, in English. */

export const keys = {
  keys: {
    title: "API keys",
    id: "Key",
    owner: "Owner",
    actsAs: (who: string) => `acts as ${who}`,
    roles: "Roles",
    created: "Created",
    expires: "Expires",
    never: "never",
    state: "State",
    active: "active",
    disabled: "revoked",
    expired: "expired",
    none: "There are no keys yet.",
    create: "Create a key",
    rolesHint: "Separated by commas; empty: as every user",
    days: "Days until it expires",
    make: "Create",
    shownOnce: "This key is shown only once. Copy it now.",
    revoke: "Revoke",
    reallyRevoke: (owner: string) =>
      `Revoke the key of ${owner}? Programs that use it stop working within seconds.`,
  },
};
