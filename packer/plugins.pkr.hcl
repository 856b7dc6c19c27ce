# What Packer 1.7 and newer install with `packer init packer/plugins.pkr.hcl`; apart, because 1.6 refuses it.
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "= 1.8.2"
    }
  }
}
