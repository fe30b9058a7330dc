@0x86c366a91393f3f8;
# What `-> stream` stands for. The same ids as in the file that Cap'n Proto installs under this name.

struct StreamResult @0x995f9a3377c0b16e {
  # The result of a streaming call: empty, and sent at once.
}
