@0x86c366a91393f3f8;
# The meaning of `-> stream`. The ids are those of the file that Cap'n Proto installs under this name.

struct StreamResult @0x995f9a3377c0b16e {
  # The result of a streaming call: empty, and sent at once.
}
