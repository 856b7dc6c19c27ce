# Every version and checksum of the images. `scripts/deploy/pin.sh` renews `base`; the rest is changed by hand, after
# reading what changed.

# AL2023's release: it decides the kernel and each package, since AL2023's repositories are locked to the release. Empty
# until the first `scripts/deploy/pin.sh`: the newest is known to AWS only.
base = ""

# The kernel's series, as it stands in the names of AL2023's images.
kernel = "6.1"

# Branch of NVIDIA's driver, from AWS's own repository. 580 is a long-term branch; later ones have only the open modules.
nvidia_driver = "580"

# The release that the recordings in demo/tests were made with, or a later patch of it; checksums as the release lists them.
ollama        = "0.33.3"
ollama_sha256 = "c13cea8f3389db4145f8a6cb88d1747242a48639d7c13e3bda7c1ebdc6eebb2f"

# What says that a booted machine is as it should be.
goss               = "0.4.9"
goss_sha256_x86_64 = "87dd36cfa1b8b50554e6e2ca29168272e26755b19ba5438341f7c66b36decc19"
goss_sha256_arm64  = "14fd24ac08236559f4809e6a627792d1b947ed98654bba1662ef1d6122d77e18"

# The copy that serves where the bucket does not answer. One of the parameter Models.
model = "gemma3n:e4b"
