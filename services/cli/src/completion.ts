import type { Command, Option } from 'commander'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** Options whose values are few, in whatever command they are. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  '--feed': ['v1', 'ws'],
  '--format': ['tardis', 'hftbacktest', 'nautilus', 'databento', 'csv', 'ndjson'],
}

/**
 * What a shell needs to complete `booktape`, made from the commands themselves. A plain script: to start a program at each press of a
 * key would be felt.
 */
export function completionScript(program: Command, shell: Shell): string {
  const commands = program.commands.map(commandOf)
  switch (shell) {
    case 'bash':
      return bash(commands)
    case 'zsh':
      return zsh(commands)
    case 'fish':
      return fish(commands)
  }
}

/** `value`: what follows the option: some words, a directory, anything (an empty list), or nothing (null). */
type OptionWords = Readonly<{ flag: string; about: string; value: readonly string[] | 'directory' | null }>
type CommandWords = Readonly<{
  name: string
  about: string
  words: readonly string[] // of its argument, where they are few
  options: readonly OptionWords[]
}>

function commandOf(command: Command): CommandWords {
  return {
    name: command.name(),
    about: command.description(),
    words: command.name() === 'completion' ? SHELLS : [],
    options: [
      ...command.options.map((option): OptionWords => {
        const flag = option.long ?? ''
        return { flag, about: option.description, value: valueOf(flag, option) }
      }),
      { flag: '--help', about: 'what can be said', value: null },
    ],
  }
}

function valueOf(flag: string, option: Option): OptionWords['value'] {
  if (option.isBoolean()) return null
  return /<(directory|place)>/.test(option.flags) ? 'directory' : (VALUES[flag] ?? [])
}

function bash(commands: readonly CommandWords[]): string {
  const afterOption = commands.flatMap(({ name, options }) =>
    options.flatMap(({ flag, value }) => {
      if (value === null) return []
      const found = value === 'directory' ? 'compgen -d --' : `compgen -W '${value.join(' ')}' --`
      return [`    '${name} ${flag}') COMPREPLY=($(${found} "$current")); return ;;`]
    }),
  )
  const ofCommand = commands.map(
    ({ name, words, options }) => `    ${name}) words='${[...words, ...options.map(({ flag }) => flag)].join(' ')}' ;;`,
  )
  return `# booktape in bash: source <(booktape completion bash)
_booktape() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= words= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $word != -* ]]; then command=$word; break; fi
  done
  COMPREPLY=()
  case "$command $previous" in
${afterOption.join('\n')}
  esac
  case $command in
    '') words='${commands.map(({ name }) => name).join(' ')} --help --version' ;;
${ofCommand.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _booktape booktape
`
}

function zsh(commands: readonly CommandWords[]): string {
  const specOf = ({ flag, about, value }: OptionWords): string => {
    const action = value === null ? '' : value === 'directory' ? ':directory:_files -/' : `:value:(${value.join(' ')})`
    return `'${flag}[${zshText(about)}]${action}'`
  }
  const ofCommand = commands.map(({ name, words, options }) => {
    const argument = words.length > 0 ? [`'1:word:(${words.join(' ')})'`] : []
    return `    ${name}) _arguments ${[...argument, ...options.map(specOf)].join(' ')} ;;`
  })
  return `#compdef booktape
# booktape in zsh: source <(booktape completion zsh)
_booktape() {
  local -a commands
  commands=(
${commands.map(({ name, about }) => `    '${name}:${zshText(about)}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  words=("\${(@)words[2,-1]}")
  (( CURRENT-- ))
  case $command in
${ofCommand.join('\n')}
  esac
}
(( $+functions[compdef] )) || { autoload -U compinit && compinit }
compdef _booktape booktape
`
}

/** Within single quotes, where brackets and colons have a meaning. */
function zshText(text: string): string {
  return text.replaceAll("'", '’').replaceAll(/[[\]:]/g, String.raw`\$&`)
}

function fish(commands: readonly CommandWords[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
  const lines = commands.flatMap(({ name, about, words, options }) => {
    const within = `complete -c booktape -n '__fish_seen_subcommand_from ${name}'`
    return [
      `complete -c booktape -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
      ...(words.length > 0 ? [`${within} -a '${words.join(' ')}'`] : []),
      ...options.map(({ flag, about: what, value }) => {
        const found =
          value === 'directory'
            ? " -x -a '(__fish_complete_directories)'"
            : value === null
              ? ''
              : ` -x -a '${value.join(' ')}'`
        return `${within} -l ${flag.slice(2)}${found} -d ${quoted(what)}`
      }),
    ]
  })
  return `# booktape in fish: booktape completion fish | source\ncomplete -c booktape -f\n${lines.join('\n')}\n`
}
