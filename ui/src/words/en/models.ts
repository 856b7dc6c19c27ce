/** The models, in English. */

export const models = {
  models: {
    title: "Models",
    name: "Name",
    size: "Size",
    changed: "Changed",
    loaded: "In memory on",
    none: "There are no models, or the fleet is asleep.",
    pull: "Add a model",
    pullName: "Name of the model",
    pullGo: "Add",
    pulling: (status: string) => `Adding: ${status}`,
    pulled: "The model is there.",
    remove: "Delete",
    reallyRemove: (name: string) => `Delete ${name} from every node?`,
    wanted: "On its way",
    waiting: "waiting",
    onNode: "here",
    failed: "failed",
    progress: (name: string, node: string) => `${name} on ${node}`,
  },
};
