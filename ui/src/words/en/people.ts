/** Usage and who is shut out, in English. */

export const people = {
  people: {
    title: "Usage",
    mine: "Your last 31 days",
    everybody: "Everybody's last 31 days",
    person: "Person or key",
    requests: "Requests",
    prompt: "Tokens read",
    output: "Tokens written",
    gpu: "GPU time",
    days: "By day",
    day: (day: string, requests: string) => `${day}: ${requests} requests`,
    none: "Nothing has been used yet.",
    denials: "Shut out",
    noDenials: "Nobody is shut out.",
    deny: "Shut out",
    denyWho: "Person or key",
    denyWhy: "Reason",
    reallyDeny: (who: string) => `Shut out ${who}? It holds within ten seconds.`,
    allow: "Let in again",
    since: "Since",
    copyName: "Shut out…",
  },
};
