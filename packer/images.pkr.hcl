# The golden images: `node` (a GPU, Ollama, gateway), `cpu` (the same without GPU, for development), `front` (gateway,
# scaler and bot). Kept to what Packer 1.6.6 reads, which is what the checks have.

variable "base" {
  type        = string
  description = "Release of AL2023, as 2023.9.20251117.1."
  validation {
    condition     = var.base == regex_replace(var.base, "[^0-9.]", "") && length(split(".", var.base)) == 4
    error_message = "No release of AL2023 is pinned: run scripts/deploy/pin.sh, look at the difference, commit it."
  }
}

variable "kernel" {
  type = string
}

variable "nvidia_driver" {
  type = string
}

variable "ollama" {
  type = string
}

variable "ollama_sha256" {
  type = string
  validation {
    condition     = length(var.ollama_sha256) == 64 && var.ollama_sha256 == regex_replace(var.ollama_sha256, "[^0-9a-f]", "")
    error_message = "The checksum of Ollama's archive must be 64 hexadecimal digits; its release lists it in sha256sum.txt."
  }
}

variable "goss" {
  type = string
}

variable "goss_sha256_x86_64" {
  type = string
}

variable "goss_sha256_arm64" {
  type = string
}

variable "model" {
  type        = string
  description = "Baked into the node's image; empty for none."
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "version" {
  type        = string
  description = "Of this repository, as `git describe` says it."
}

variable "programs" {
  type        = string
  description = "Folder with x86_64/gateway, x86_64/scaler, aarch64/gateway, aarch64/scaler and aarch64/bot."
}

variable "page" {
  type        = string
  description = "Folder with the built page, for fronts that serve it."
}

variable "subnet" {
  type        = string
  default     = ""
  description = "Where the build's machine stands; empty for the default network."
}

variable "builder_profile" {
  type        = string
  description = "Instance profile with AmazonSSMManagedInstanceCore: the build is reached by Session Manager, with no open port."
}

variable "node_type" {
  type        = string
  default     = "g4dn.xlarge"
  description = "Built and tried on. The image runs on every type whose GPU the driver knows."
}

variable "node_disk" {
  type        = number
  default     = 30
  description = "GiB of the node's root volume; the launch template must not have less."
}

variable "share_with" {
  type        = list(string)
  default     = []
  description = "Other accounts that may start the images."
}

locals {
  stamp = formatdate("YYYYMMDD-hhmm", timestamp())
  tags = {
    Product = "ollama-fleet"
    Version = var.version
    Base    = var.base
    Kernel  = var.kernel
  }
}

source "amazon-ebs" "machine" {
  region                    = var.region
  subnet_id                 = var.subnet
  iam_instance_profile      = var.builder_profile
  ssh_username              = "ec2-user"
  ssh_interface             = "session_manager"
  communicator              = "ssh"
  ssh_clear_authorized_keys = true
  encrypt_boot              = true
  ami_users                 = var.share_with
  run_tags                  = merge(local.tags, { Name = "ollama-fleet-build" })
  snapshot_tags             = local.tags

  aws_polling {
    delay_seconds = 30
    max_attempts  = 120
  }
}

build {
  source "amazon-ebs.machine" {
    name          = "node"
    instance_type = var.node_type
    ami_name      = "ollama-fleet-node-${local.stamp}"
    tags          = merge(local.tags, { Name = "ollama-fleet-node", Role = "node", Ollama = var.ollama, Driver = var.nvidia_driver, Model = var.model })
    source_ami_filter {
      filters = {
        name = "al2023-ami-${var.base}-kernel-${var.kernel}-x86_64"
      }
      owners      = ["amazon"]
      most_recent = true
    }
    launch_block_device_mappings {
      device_name           = "/dev/xvda"
      volume_type           = "gp3"
      volume_size           = var.node_disk
      iops                  = 3000
      throughput            = 125
      delete_on_termination = true
    }
  }

  source "amazon-ebs.machine" {
    name          = "cpu"
    instance_type = "c7i.xlarge"
    ami_name      = "ollama-fleet-cpu-${local.stamp}"
    tags          = merge(local.tags, { Name = "ollama-fleet-cpu", Role = "cpu", Ollama = var.ollama, Model = var.model })
    source_ami_filter {
      filters = {
        name = "al2023-ami-${var.base}-kernel-${var.kernel}-x86_64"
      }
      owners      = ["amazon"]
      most_recent = true
    }
    launch_block_device_mappings {
      device_name           = "/dev/xvda"
      volume_type           = "gp3"
      volume_size           = var.node_disk
      iops                  = 3000
      throughput            = 125
      delete_on_termination = true
    }
  }

  source "amazon-ebs.machine" {
    name          = "front"
    instance_type = "t4g.small"
    ami_name      = "ollama-fleet-front-${local.stamp}"
    tags          = merge(local.tags, { Name = "ollama-fleet-front", Role = "front" })
    source_ami_filter {
      filters = {
        name = "al2023-ami-${var.base}-kernel-${var.kernel}-arm64"
      }
      owners      = ["amazon"]
      most_recent = true
    }
    launch_block_device_mappings {
      device_name           = "/dev/xvda"
      volume_type           = "gp3"
      volume_size           = 8
      iops                  = 3000
      throughput            = 125
      delete_on_termination = true
    }
  }

  # What goes onto the machine, to where each script takes it from.
  provisioner "shell" {
    inline = ["mkdir -p /tmp/image/programs /tmp/image/page"]
  }
  provisioner "file" {
    source      = "${path.root}/files"
    destination = "/tmp/image"
  }
  provisioner "file" {
    source      = "${path.root}/goss"
    destination = "/tmp/image"
  }
  provisioner "file" {
    source      = "${var.programs}/"
    destination = "/tmp/image/programs"
  }
  provisioner "file" {
    only        = ["amazon-ebs.front"]
    source      = "${var.page}/"
    destination = "/tmp/image/page"
  }

  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    script          = "${path.root}/provision/system.sh"
  }
  provisioner "shell" {
    only             = ["amazon-ebs.node"]
    execute_command  = "sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = ["NVIDIA_DRIVER=${var.nvidia_driver}"]
    scripts          = ["${path.root}/provision/driver.sh"]
  }
  provisioner "shell" {
    only              = ["amazon-ebs.node"]
    inline            = ["sudo systemctl reboot"]
    expect_disconnect = true
  }
  provisioner "shell" {
    except           = ["amazon-ebs.front"]
    pause_before     = "30s"
    execute_command  = "sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = ["OLLAMA=${var.ollama}", "OLLAMA_SHA256=${var.ollama_sha256}", "MODEL=${var.model}"]
    scripts          = ["${path.root}/provision/ollama.sh", "${path.root}/provision/files-node.sh", "${path.root}/provision/model.sh"]
  }
  provisioner "shell" {
    only            = ["amazon-ebs.front"]
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    scripts         = ["${path.root}/provision/files-front.sh"]
  }
  provisioner "shell" {
    execute_command  = "sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = ["GOSS=${var.goss}", "GOSS_SHA256_X86_64=${var.goss_sha256_x86_64}", "GOSS_SHA256_AARCH64=${var.goss_sha256_arm64}", "KIND=${source.name}"]
    scripts          = ["${path.root}/provision/programs.sh", "${path.root}/provision/units.sh", "${path.root}/provision/verify.sh", "${path.root}/provision/seal.sh"]
  }

  post-processor "manifest" {
    output     = "target/images.json"
    strip_path = true
    custom_data = {
      version = var.version
      base    = var.base
    }
  }
}
