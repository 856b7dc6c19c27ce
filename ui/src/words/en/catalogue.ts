/** The catalogue of models, in English. */
import { s } from "./count";

export const offers = {
  offers: {
    title: "Models that run well here",
    node: (instance: string, memory: string, disk: string) =>
      `Whether a model fits is reckoned for ${instance}: ${memory} of GPU memory, ${disk} of free disk.`,
    aNode: "a node",
    notKnown: "an unknown amount",
    asOf: (when: string) => `As of ${when}.`,
    unknown: "Whether a model fits is not known before a node has run.",
    language: "Language",
    any: "any",
    onlyFitting: "Only what fits",
    none: "No model of the catalogue is like that.",
    count: (count: number) => s(count, "model"),
    many: "many languages",
    languages: "Languages",
    context: "Context",
    tokens: (count: string) => `${count} tokens`,
    parameters: "Parameters",
    download: "Download",
    memory: "Memory at work",
    instance: "Smallest instance",
    licence: "Licence",
    source: "Where it is described",
    sourceOf: (title: string) => `Where it is described: ${title}, in a new tab`,
    here: "is here",
    memoryFits: {
      yes: "fits into the GPU's memory",
      no: "does not fit into the GPU's memory",
      unknown: "whether it fits into the GPU's memory is not known",
    },
    diskFits: {
      yes: "fits on the disk",
      no: "does not fit on the disk",
      unknown: "whether it fits on the disk is not known",
    },
    add: "Add",
    addOf: (title: string) => `Add ${title}`,
    reallyAdd: (title: string, memory: string, disk: string) =>
      `${title} ${memory}, and ${disk}. Without enough memory it answers very slowly or not at all; without enough disk the download fails. Add it all the same?`,
    adding: (title: string) => `Adding ${title}`,
    added: (title: string) => `${title} is there.`,
  },
};
