"""Sentences for synthetic voices: three lists per language; any choice of one phrase from each is a sentence."""

import zlib

import numpy as np

# Which twentieth of all sentences is for whom: no sentence is in two splits, or in speech and in
# babble.
_PARTS = 20
_SHARES = {
    ("train", "speech"): range(12),
    ("train", "babble"): range(12, 14),
    ("dev", "speech"): range(14, 16),
    ("dev", "babble"): range(16, 17),
    ("test", "speech"): range(17, 19),
    ("test", "babble"): range(19, 20),
}


def sentence(rng: np.random.Generator, language: str, split: str, use: str) -> str:
    """A random sentence of a language that belongs to one split and one use, ``"speech"`` or ``"babble"``."""
    while True:
        text = " ".join(phrases[rng.integers(len(phrases))] for phrases in _PHRASES[language])
        if zlib.crc32(text.encode()) % _PARTS in _SHARES[split, use]:
            return text + "."


def _lists(*lines: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(phrase.strip() for phrase in line.split("|")) for line in lines)


_PHRASES = {
    "en": _lists(
        "My older sister | The quiet neighbour | A young doctor | Our new teacher | The bus driver | George and Zoe"
        " | The woman next door | Their little brother | A friend of mine | The chef | Everybody | This old farmer",
        "was looking for the yellow jacket | bought five fresh pears | showed us a huge photo | fixed both bicycles"
        " | forgot the key again | could not hear the music | poured some hot chocolate | read a strange message"
        " | put the boxes away | waited for a phone call | wants to change the picture | has seen three white swans",
        "in the kitchen this morning | before the storm began | at the edge of the forest | on the second floor"
        " | without saying a word | during the long journey | near the railway bridge | because it was cheap"
        " | after a rather boring lecture | just outside the village | while we were cooking | for the first time",
    ),
    "de": _lists(
        "Meine Schwester | Der freundliche Nachbar | Die junge Ärztin | Unser Lehrer | Der Busfahrer | Jürgen"
        " | Die Frau von nebenan | Sein kleiner Bruder | Eine gute Freundin | Der Koch | Die Bäckerin | Der alte Bauer",
        "sucht den gelben Schirm | kauft fünf frische Birnen | zeigt uns ein schönes Foto | repariert das Fahrrad"
        " | vergisst wieder den Schlüssel | hört leise Musik | trinkt heißen Tee | liest einen langen Brief"
        " | räumt die Kisten weg | wartet auf einen Anruf | wechselt das Bild aus | zählt die weißen Schwäne",
        "heute früh in der Küche | vor dem Gewitter | am Rand des Waldes | im zweiten Stock | ohne ein Wort zu sagen"
        " | auf der langen Reise | neben der Brücke | weil es günstig ist | nach der Vorlesung | kurz vor dem Dorf"
        " | während wir kochen | zum ersten Mal seit Jahren",
    ),
    "fr": _lists(
        "Ma grande sœur | Le voisin tranquille | Une jeune femme médecin | Notre professeur | Le chauffeur de bus"
        " | Jeanne | La dame d'en face | Son petit frère | Un bon ami | Le cuisinier | Tout le monde | Ce vieux paysan",
        "cherche la veste jaune | achète cinq poires bien mûres | nous montre une photo | répare les deux vélos"
        " | oublie encore la clé | écoute un peu de musique | boit du chocolat chaud | lit un message étrange"
        " | range toutes les boîtes | attend un coup de téléphone | change le tableau | compte les oiseaux blancs",
        "ce matin dans la cuisine | avant l'orage | au bord de la forêt | au deuxième étage | sans dire un mot"
        " | pendant ce long voyage | près du pont | parce que c'est facile | après le cours | à la sortie du village"
        " | pendant que nous jouons | pour la première fois",
    ),
    "es": _lists(
        "Mi hermana mayor | El vecino callado | Una joven médica | Nuestro profesor | El chófer del autobús | Jorge"
        " | La señora de al lado | Su hermano pequeño | Un amigo | La cocinera | Todo el mundo | Este viejo pastor",
        "busca la chaqueta amarilla | compra cinco peras frescas | nos enseña una foto enorme | arregla las bicicletas"
        " | olvida otra vez la llave | escucha un poco de música | bebe chocolate caliente | lee un mensaje extraño"
        " | guarda todas las cajas | espera una llamada | quiere cambiar el cuadro | cuenta los pájaros blancos",
        "esta mañana en la cocina | antes de la tormenta | al borde del bosque | en el segundo piso"
        " | sin decir una palabra | durante el largo viaje | cerca del puente | porque es barato | después de la clase"
        " | a la salida del pueblo | mientras cocinamos | por primera vez",
    ),
    "it": _lists(
        "Mia sorella | Il vicino silenzioso | Una giovane dottoressa | Il nostro maestro | L'autista | Giovanni"
        " | La signora accanto | Suo fratello minore | Un caro amico | Il cuoco | La gente | Questo vecchio contadino",
        "cerca la giacca gialla | compra cinque pere fresche | ci mostra una bella foto | aggiusta le biciclette"
        " | dimentica di nuovo la chiave | ascolta un po' di musica | beve cioccolata calda | legge una lettera strana"
        " | mette via le scatole | aspetta una telefonata | vuole cambiare il quadro | conta gli uccelli bianchi",
        "stamattina in cucina | prima del temporale | ai margini del bosco | al secondo piano | senza dire una parola"
        " | durante il lungo viaggio | vicino al ponte | perché costa poco | dopo la lezione | all'uscita del paese"
        " | mentre giochiamo | per la prima volta",
    ),
    "pt": _lists(
        "A minha irmã | O vizinho calado | Uma jovem médica | O nosso professor | O motorista | João"
        " | A senhora do lado | O irmão mais novo | Um bom amigo | A cozinheira | Toda a gente | Este velho pescador",
        "procura o casaco amarelo | compra cinco peras frescas | mostra uma fotografia enorme | conserta as bicicletas"
        " | esquece outra vez a chave | ouve um pouco de música | bebe chocolate quente | lê uma mensagem estranha"
        " | arruma todas as caixas | espera um telefonema | quer trocar o quadro | conta os pássaros brancos",
        "esta manhã na cozinha | antes da tempestade | junto à floresta | no segundo andar | sem dizer uma palavra"
        " | durante a longa viagem | perto da ponte | porque é barato | depois da aula | à saída da aldeia"
        " | quando chove muito | pela primeira vez",
    ),
    "nl": _lists(
        "Mijn oudste zus | De rustige buurman | Een jonge dokter | Onze leraar | De buschauffeur | Joris"
        " | De vrouw van hiernaast | Zijn kleine broer | Een goede vriendin | De kok | Iedereen | Die oude boer",
        "zoekt de gele jas | koopt vijf verse peren | laat ons een grote foto zien | maakt de fietsen"
        " | vergeet weer de sleutel | luistert naar zachte muziek | drinkt hete chocola | leest een vreemd bericht"
        " | ruimt de dozen op | wacht op een telefoontje | verschuift het schilderij | telt de witte zwanen",
        "vanochtend in de keuken | vóór het onweer | aan de rand van het bos | op de tweede verdieping"
        " | zonder een woord te zeggen | tijdens de lange reis | vlak bij de brug | omdat het goedkoop is | na de les"
        " | net buiten het dorp | terwijl wij koken | voor de eerste keer",
    ),
    "sv": _lists(
        "Min äldre syster | Den tysta grannen | En ung läkare | Vår lärare | Busschauffören | Göran"
        " | Kvinnan bredvid | Hans lillebror | En god vän | Kocken | Varenda människa | Den gamla bonden",
        "letar efter den gula jackan | köper fem färska päron | visar oss ett stort foto | lagar båda cyklarna"
        " | glömmer nyckeln igen | lyssnar på lugn musik | dricker varm choklad | läser ett konstigt brev"
        " | ställer undan lådorna | väntar på ett samtal | vill byta tavlan | räknar de vita svanarna",
        "i köket i morse | före åskvädret | vid skogens kant | på andra våningen | utan att säga ett ord"
        " | under den långa resan | nära bron | eftersom det är billigt | efter lektionen | strax utanför byn"
        " | medan vi lagar mat | för första gången",
    ),
    "da": _lists(
        "Min ældste søster | Den stille nabo | En ung læge | Vores lærer | Buschaufføren | Jørgen"
        " | Damen ved siden af | Hans lillebror | En god ven | Kokken | Alle mennesker | Den gamle bonde",
        "leder efter den gule jakke | køber fem friske pærer | viser os et stort billede | reparerer begge cykler"
        " | glemmer nøglen igen | lytter til rolig musik | drikker varm chokolade | læser et mærkeligt brev"
        " | stiller kasserne væk | venter på en opringning | vil skifte tavlen ud | tæller de hvide svaner",
        "i køkkenet i morges | før tordenvejret | ved skovens kant | på anden sal | uden at sige et ord"
        " | på den lange rejse | tæt på broen | fordi det er billigt | efter timen | lige uden for byen"
        " | mens vi laver mad | for første gang",
    ),
    "pl": _lists(
        "Moja starsza siostra | Cichy sąsiad | Młoda lekarka | Nasz nauczyciel | Kierowca autobusu | Grzegorz"
        " | Pani z naprzeciwka | Jego młodszy brat | Dobry przyjaciel | Kucharz | Każdy z nich | Ten stary rolnik",
        "szuka żółtej kurtki | kupuje pięć świeżych gruszek | pokazuje nam duże zdjęcie | naprawia rowery"
        " | znowu zapomina klucza | słucha spokojnej muzyki | pije gorącą czekoladę | czyta dziwną wiadomość"
        " | odkłada wszystkie pudełka | czeka na telefon | chce zmienić obraz | liczy białe łabędzie",
        "dziś rano w kuchni | przed burzą | na skraju lasu | na drugim piętrze | nie mówiąc ani słowa"
        " | podczas długiej podróży | niedaleko mostu | bo jest tanio | po lekcji | tuż za wsią"
        " | kiedy pada deszcz | po raz pierwszy",
    ),
    "fi": _lists(
        "Vanhempi siskoni | Hiljainen naapuri | Nuori lääkäri | Meidän opettaja | Bussin kuljettaja | Jyrki"
        " | Viereisen talon nainen | Hänen pikkuveljensä | Hyvä ystävä | Kokki | Joku meistä | Tuo vanha kalastaja",
        "etsii keltaista takkia | ostaa viisi päärynää | näyttää suuren kuvan | korjaa polkupyörät"
        " | unohtaa taas avaimen | kuuntelee musiikkia | juo kuumaa kaakaota | lukee oudon viestin"
        " | siirtää laatikot pois | odottaa puhelua | haluaa vaihtaa taulun | laskee valkoiset joutsenet",
        "aamulla keittiössä | ennen ukkosta | metsän reunassa | toisessa kerroksessa | sanomatta sanaakaan"
        " | pitkällä matkalla | sillan lähellä | koska se on halpaa | tunnin jälkeen | kylän ulkopuolella"
        " | kun sataa lunta | ensimmäistä kertaa",
    ),
    "ro": _lists(
        "Sora mea mai mare | Vecinul liniștit | O doctoriță tânără | Profesorul nostru | Șoferul | Gheorghe"
        " | Doamna de alături | Fratele lui mai mic | Un prieten bun | Bucătarul | Toată lumea | Bătrânul țăran",
        "caută haina galbenă | cumpără cinci pere proaspete | ne arată o fotografie mare | repară bicicletele"
        " | uită din nou cheia | ascultă puțină muzică | bea ciocolată caldă | citește un mesaj ciudat"
        " | pune cutiile deoparte | așteaptă un telefon | vrea să schimbe tabloul | numără lebedele albe",
        "azi dimineață în bucătărie | înainte de furtună | la marginea pădurii | la etajul doi | fără să spună nimic"
        " | în timpul călătoriei | lângă pod | pentru că este ieftin | după oră | la ieșirea din sat"
        " | în timp ce gătim | pentru prima oară",
    ),
}
